"""Pictures with the captions that a network wrote of them: one page, in the look of a run's."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from rnnkit.captioning.attention import attention
from rnnkit.captioning.ensemble import Ensemble
from rnnkit.captioning.images import Captioned
from rnnkit.data.photos.opening import open_photo
from rnnkit.data.photos.running import encoded, ready
from rnnkit.describing.report.captions import sureness
from rnnkit.describing.report.page import check_installed, fill
from rnnkit.describing.report.pictures import Album, Picture
from rnnkit.kinds import Array, Decoder
from rnnkit.kinds import Picture as Pixels
from rnnkit.network.model import Captioner
from rnnkit.registry.labels import label
from rnnkit.system.files import write_text_whole

ALL: Final = 64 << 20
"""Bytes of all pictures together: about a thousand photos."""

LOOK: Final = 112
"""Pixels of a side of a picture that shows where the network looked."""


@attrs.frozen
class Card:
    """A picture, what was written of it, and how sure the network was of each word, 0 to 1.

    Attributes:
        looks: each word, and the data address of what the encoder saw, bright where the network looked.
    """

    picture: Picture
    said: Captioned
    sure: float
    looks: tuple[tuple[str, str], ...]


def write_page(
    file: Path,
    title: str,
    writer: Captioner | Ensemble,
    decoder: Decoder,
    captions: Sequence[Captioned],
    folder: Path | None = None,
) -> None:
    """Write a page that is one file, with small copies of the pictures.

    Args:
        file: an older one is replaced.
        title: such as the names of the networks.
        writer: the network, or several, that wrote.
        decoder: that chose the words.
        captions: `picture` of each is a path; what is no picture has its name alone.
        folder: the data folder whose pictures they are; None if the user named them.

    Raises:
        RnnkitError: what writing takes is not installed.
        CheckpointError: the file cannot be written.
    """
    check_installed()
    album = Album(folder, ALL)
    unit = "character" if writer.vocabulary.by_character else "word"
    page = fill(
        "photos.html",
        cards=[
            Card(
                album.picture(one.picture, one.image),
                one,
                sureness(one, unit),
                tuple(_looks(writer, one)) if folder is None else (),
            )
            for one in captions
        ],
        title=title,
        decoder=label(decoder),
        encoder=str(writer.pipeline.identity) if writer.pipeline else "",
        unit=unit,
    )
    write_text_whole(file, page)


def _looks(writer: Captioner | Ensemble, said: Captioned) -> Iterator[tuple[str, str]]:
    """Nothing of several networks, of one that does not look at regions, or of an encoder without a map of them."""
    if isinstance(writer, Ensemble) or writer.pipeline is None or said.picture is None:
        return
    pipeline = writer.pipeline
    if len(pipeline.identity.shape) != 3 or not Path(said.picture).is_file():
        return
    prepared = ready(pipeline.encoder, open_photo(said.picture))
    if prepared.dtype != np.uint8 or prepared.ndim != 3 or prepared.shape[2] != 3:
        return  # not the pixels that it sees
    features = pipeline.project(encoded(pipeline.encoder, [prepared]))
    _, *regions = pipeline.identity.shape
    for word, weights in attention(writer, features, said.caption):
        if weights.size == prod(regions):
            yield word, _lit(prepared, weights.reshape(regions))


def _lit(pixels: Pixels, weights: Array) -> str:
    """A small copy of a picture, dark where the weights (h, w) are small, as a data address."""
    from PIL import Image

    small = Image.fromarray(pixels).resize((LOOK, LOOK))
    light = Image.fromarray((weights / weights.max()).astype(np.float32))
    mask = np.clip(np.asarray(light.resize(small.size, Image.Resampling.BICUBIC)), 0, 1)
    lit = np.asarray(small) * (0.2 + 0.8 * mask[:, :, None])
    made = io.BytesIO()
    Image.fromarray(lit.astype(np.uint8)).save(made, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(made.getvalue()).decode()}"
