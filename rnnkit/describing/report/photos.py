"""Pictures with the captions that a network wrote of them: one page, in the look of a run's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from rnnkit.captioning.ensemble import Ensemble
from rnnkit.captioning.images import Captioned
from rnnkit.describing.report.captions import sureness
from rnnkit.describing.report.page import check_installed, fill
from rnnkit.describing.report.pictures import Album, Picture
from rnnkit.kinds import Decoder
from rnnkit.network.model import Captioner
from rnnkit.registry.labels import label
from rnnkit.system.files import write_text_whole

ALL: Final = 64 << 20
"""Bytes of all pictures together: about a thousand photos."""


@attrs.frozen
class Card:
    """A picture, what was written of it, and how sure the network was of each word, 0 to 1."""

    picture: Picture
    said: Captioned
    sure: float


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
            Card(album.picture(one.picture, one.image), one, sureness(one, unit))
            for one in captions
        ],
        title=title,
        decoder=label(decoder),
        encoder=str(writer.pipeline.identity) if writer.pipeline else "",
        unit=unit,
    )
    write_text_whole(file, page)
