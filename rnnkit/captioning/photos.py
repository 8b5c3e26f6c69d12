"""Captions of photos, and of features that are in no data folder."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from rnnkit.captioning.ensemble import Ensemble
from rnnkit.captioning.images import DRAWING, Captioned, sayings
from rnnkit.captioning.own_data import data_of, opened_for
from rnnkit.data.features.maps import channels_first
from rnnkit.data.photos.opening import open_photo
from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.data.preparing.feature_source import open_source
from rnnkit.errors import DataError
from rnnkit.kinds import Array, Decoder, Picture
from rnnkit.network.model import Captioner
from rnnkit.network.writer import NO_ENCODER
from rnnkit.system.files import files_below

BATCH: Final = 128
"""Photos that are encoded and captioned at once: who waits for them sees the first captions soon."""

SUFFIXES: Final = frozenset(
    ".jpg .jpeg .png .gif .webp .bmp .tif .tiff .ppm".split()  # noqa: SIM905
)
"""Of files that are taken for photos where a folder is named."""


def find_photos(places: Iterable[str | Path]) -> list[Path]:
    """The photos that are meant by paths of files, folders (with what is in them) and patterns such as `a/*.jpg`.

    Returns:
        Each once, in the order of the places; those of a folder or a pattern by name.

    Raises:
        DataError: a place has no photo.
    """
    found: list[Path] = []
    for place in map(str, places):
        if os.path.isdir(place):
            files = files_below(Path(place))
            some = [file for file in files if file.suffix.lower() in SUFFIXES and file.is_file()]
            missing = f"has no photo ({', '.join(sorted(SUFFIXES))})"
        elif os.path.lexists(place):
            some, missing = [Path(place)], ""
        else:
            some = sorted(map(Path, glob.glob(place, recursive=True)))
            missing = (
                "is not there, or fits no file: give a photo, a folder of photos, or a pattern "
                "such as 'photos/*.jpg'"
            )
        if not some:
            raise DataError(f"{place} {missing}")
        found += some
    return list(dict.fromkeys(found))


def pipeline_of(
    writer: Captioner | Ensemble, data: str | Path | None, note: Callable[[str], None]
) -> ImagePipeline:
    """How a model's features come from photos: as it says itself, or else as its data folder says by now.

    Args:
        writer: the network, or several.
        data: the folder that is named, if one is.
        note: called with a sentence if the folder that is named is the network's own, and has changed.

    Raises:
        DataError: neither says it, or the features are not those of the network.
    """
    pipeline = writer.pipeline or _pipeline_of_data(writer, data, note)
    if pipeline.width != writer.feature_width:
        raise DataError(
            f"the encoder gives features of width {pipeline.width}, but the model takes {writer.feature_width}"
        )
    return pipeline


def _pipeline_of_data(
    writer: Captioner | Ensemble, data: str | Path | None, note: Callable[[str], None]
) -> ImagePipeline:
    try:
        folder = data_of(writer, data)
    except DataError:
        raise DataError(NO_ENCODER) from None
    if data is None and not Path(folder).is_dir():
        raise DataError(NO_ENCODER)
    with opened_for(writer, data, note) as dataset:
        if dataset.pipeline is None:
            raise DataError(NO_ENCODER)
        return dataset.pipeline


def caption_photos(
    writer: Captioner | Ensemble,
    pipeline: ImagePipeline,
    photos: Sequence[Path],
    decoder: Decoder | str | None = None,
    note: Callable[[str], None] | None = None,
) -> Iterator[Captioned]:
    """Caption photos, some at a time, so that any number of them needs little memory.

    Args:
        writer: a network, or several that write together.
        pipeline: how its features come from photos, as `pipeline_of` says.
        photos: their paths.
        decoder: how to choose words, or the name of a plugin that does; the spec's if left open.
        note: called with a sentence for a photo that cannot be read, and is left out; else it is an error.

    Yields:
        A caption for each that can be read, in order; `image` is its number among all photos.

    Raises:
        DataError: a photo cannot be read, or none can.
    """
    reading = _Reading(photos, note)
    for number, start in enumerate(range(0, len(photos), BATCH)):
        before = len(reading.images)
        features = pipeline.features(reading.pictures(range(start, start + BATCH)))
        images = reading.images[before:]
        names = [str(photos[image]) for image in images]
        yield from _captions(writer, features, number, images, names, decoder)
    if reading.failed is not None and not reading.images:
        raise reading.failed


@attrs.define
class _Reading:
    """Opens photos one by one, and keeps the numbers of those that could be, and the first error."""

    photos: Sequence[Path]
    note: Callable[[str], None] | None
    images: list[int] = attrs.field(factory=list)
    failed: DataError | None = None

    def pictures(self, images: range) -> Iterator[Picture]:
        for image in images[: len(self.photos) - images.start]:
            try:
                picture = open_photo(self.photos[image])
            except DataError as error:
                if self.note is None:
                    raise
                self.failed = self.failed or error
                self.note(f"{error}; it was left out")
            else:
                self.images.append(image)
                yield picture


def caption_features(
    writer: Captioner | Ensemble, file: Path, decoder: Decoder | str | None = None
) -> Iterator[Captioned]:
    """Caption images by their features alone, from a file as `rnnkit data prepare` takes it.

    Raises:
        DataError: it is of another form, or its features are not those of the model.
    """
    with open_source([file]) as source:
        if source.width != writer.feature_width:
            raise DataError(
                f"{file} has features of width {source.width}, but the model takes {writer.feature_width}"
            )
        ids = source.ids()
        for number, start in enumerate(range(0, len(source), BATCH)):
            rows = np.arange(start, min(start + BATCH, len(source)))
            block = np.concatenate([block for _, block in source.blocks(rows)])
            names = [f"image {ids[row] if ids else row}" for row in rows]
            yield from _captions(
                writer, channels_first(block, source.map), number, rows.tolist(), names, decoder
            )


def _captions(
    writer: Captioner | Ensemble,
    features: Array,
    number: int,
    images: Sequence[int],
    names: Sequence[str],
    decoder: Decoder | str | None,
) -> Iterator[Captioned]:
    """Those of a batch; which number it has says what is drawn for it."""
    if not images:
        return
    rng = np.random.default_rng([writer.spec.model.seed, DRAWING, number])
    said = sayings(writer.afresh(), features, decoder, rng)
    for image, name, (caption, log_prob, others) in zip(images, names, said, strict=True):
        yield Captioned(image, name, caption, log_prob, others, truth=[])
