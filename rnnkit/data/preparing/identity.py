"""Which rows of features are of which image: by its id, or by the name of its file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from rnnkit.data.annotations import AnnotatedImage, id_text
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.feature_source import FeatureSource
from rnnkit.errors import DataError, listed

Rows = Mapping[str, Sequence[int]]
"""Text of an image's id -> rows of features; several if they are given more than once."""


@attrs.frozen(eq=False)
class Matched:
    """Images and their features.

    Attributes:
        images: those with features and captions. Of several with one file name, it is the first, with the captions
            of all.
        rows: of each image, in order.
        by: what the rows of features call an image; None if they are in the order of the images.
        merged: file names of the images that went into another one.
        uncaptioned: file names of those that have no caption.
        featureless: file names of those that have captions, but no features.
        unlisted: rows of features that are of no image.
    """

    images: tuple[AnnotatedImage, ...]
    rows: tuple[int, ...]
    by: str | None
    merged: tuple[str, ...]
    uncaptioned: tuple[str, ...]
    featureless: tuple[str, ...]
    unlisted: int


def match(
    images: Sequence[AnnotatedImage], path: Path, source: FeatureSource, *, split: bool
) -> Matched:
    """Find the features of each image, and make one image of several that are the same picture.

    Args:
        images: of the file `path`.
        split: whether they stay in the splits that the file names; then those of different splits are never one.
        source: says by `image_ids` whose each row is; else the rows are in the order of the images.

    Raises:
        DataError: no image has features, or there are not as many rows as images; or one file name, or one of
            `image_ids`, has several rows, and they differ.
    """
    ids = source.ids()
    by, found = (
        _in_order(images, path, source) if ids is None else _named(images, path, source, ids)
    )
    pictures: dict[tuple[str, str | None], list[AnnotatedImage]] = {}
    for image in images:
        pictures.setdefault((image.file_name, image.split if split else None), []).append(image)
    several = [_rows_of(same, found) for same in pictures.values()]
    digests = _digests(source, (row for rows in several if len(rows) > 1 for row in rows))
    mistakes = Mistakes(path)
    kept: list[tuple[AnnotatedImage, int]] = []
    uncaptioned, featureless, merged = [], [], []
    for ((name, _), same), rows in zip(pictures.items(), several, strict=True):
        if len({digests.get(row) for row in rows}) > 1:
            mistakes.add(same[-1].place, _differ(same, rows, source, ids))
        merged += [name] * (len(same) - 1)
        one = _merged(same)
        if not one.captions:
            uncaptioned.append(name)
        elif not rows:
            featureless.append(name)
        else:
            kept.append((one, rows[0]))
    mistakes.tell()
    return Matched(
        images=tuple(image for image, _ in kept),
        rows=tuple(row for _, row in kept),
        by=by,
        merged=tuple(merged),
        uncaptioned=tuple(uncaptioned),
        featureless=tuple(featureless),
        unlisted=len(source) - len({row for rows in found.values() for row in rows}),
    )


def _in_order(
    images: Sequence[AnnotatedImage], path: Path, source: FeatureSource
) -> tuple[None, Rows]:
    if len(source) != len(images):
        raise DataError(
            f"{source.name} has {len(source)} rows, but {path} has {len(images)} images; it must have "
            "a row for each, in their order, or be an HDF5 file that names the image of each in "
            "image_ids"
        )
    return None, {id_text(image.id): [row] for row, image in enumerate(images)}


def _last_part(name: str) -> str:
    return re.split(r"[/\\]", name)[-1]


def _stem(name: str) -> str:
    return re.sub(r"(?<=.)\.[^.]*$", "", _last_part(name))


_NAMES: Final[Sequence[tuple[str, Callable[[str], str], Callable[[str], str]]]] = (
    ("file name", str, str),
    ("file name without the folder", _last_part, _last_part),
    ("file name without folder and suffix", _stem, _stem),
    ("file name without folder and suffix", _stem, _last_part),
)
"""Ways to match, and what of the images' file names and of the rows' names is the same then."""


def _named(
    images: Sequence[AnnotatedImage],
    path: Path,
    source: FeatureSource,
    ids: Sequence[int | str],
) -> tuple[str, Rows]:
    """What rows call an image, and its rows: of all ways to read them, the one by which most images have some."""
    names = [id_text(i) for i in ids]
    numbers = {type(i) for i in ids} != {type(image.id) for image in images}
    way = "the text of the id" if numbers else "id"
    ways = [(way, _pairs(images, [id_text(image.id) for image in images], names))]
    whole = {image.file_name for image in images}
    for way, of_image, of_row in _NAMES:
        one_each = len({*map(of_image, whole)}) == len(whole)
        if one_each and len({*map(of_row, names)}) == len({*names}):
            keys = [of_image(image.file_name) for image in images]
            ways.append((way, _pairs(images, keys, [*map(of_row, names)])))
    by, found = max(ways, key=lambda item: len(item[1]))
    if not found:
        raise DataError(
            f"{source.name} has features of no image of {path}: its image_ids are {listed(ids, 3)}, but "
            f"the images have the ids {listed((i.id for i in images), 3)} and the file names "
            f"{listed((i.file_name for i in images), 3)}; give each row the id or the file name of its image"
        )
    return by, found


def _pairs(images: Sequence[AnnotatedImage], keys: Sequence[str], names: Sequence[str]) -> Rows:
    """The rows of each image that has some, where rows and images are called so."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return {
        id_text(image.id): rows[key] for image, key in zip(images, keys, strict=True) if key in rows
    }


def _rows_of(same: Iterable[AnnotatedImage], found: Rows) -> list[int]:
    """All rows of a picture, whichever of its images has them."""
    return list(dict.fromkeys(row for image in same for row in found.get(id_text(image.id), ())))


def _digests(source: FeatureSource, rows: Iterable[int]) -> dict[int, bytes]:
    """What tells different rows apart, in little memory."""
    wanted = np.unique(np.fromiter(rows, np.int64))
    return {
        int(row): hashlib.blake2b(values.tobytes(), digest_size=16).digest()
        for start, block in source.blocks(wanted)
        for row, values in zip(wanted[start : start + len(block)], block, strict=True)
    }


def _differ(
    same: Sequence[AnnotatedImage],
    rows: Sequence[int],
    source: FeatureSource,
    ids: Sequence[int | str] | None,
) -> str:
    if ids is not None and len({ids[row] for row in rows}) == 1:
        first, last = source.place_of(rows[0]), source.place_of(rows[-1])
        where = "twice" if first == last else f"as {first.rpartition(':')[0]} has"
        return f"{last} has {ids[rows[0]]!r} {where}, with other features; an image has one row of features"
    return (
        f"{same[0].place} has the file_name {same[0].file_name!r}, too, but other features; give each "
        "picture a name of its own"
    )


def _merged(same: Sequence[AnnotatedImage]) -> AnnotatedImage:
    return attrs.evolve(
        same[0],
        captions=tuple(caption for image in same for caption in image.captions),
        split=next((image.split for image in same if image.split is not None), None),
        address=next((image.address for image in same if image.address), None),
    )
