"""A file of features that is open, whatever its form, and what makes one of many arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.data.annotations import ImageId
from rnnkit.data.features.maps import FeatureMap, map_of
from rnnkit.data.mistakes import Mistakes
from rnnkit.errors import DataError, listed, quoted
from rnnkit.kinds.arrays import Array, DType
from rnnkit.system.unicode import composed, lone_surrogate

FEATURES: Final = "features"
"""What the features are called in a file that has names, unless the user says another."""

IDS: Final = ("image_ids", "ids")
"""What says the image of each row."""


@attrs.frozen(eq=False)
class FeatureFile:
    """Rows of features.

    Attributes:
        path: of the file, or folder.
        shape: (images, F), or that of maps.
        stored: the type of its values.
        map: what the numbers of a row are, if they are a map.
        read: gives the rows from the first to before the last.
        read_ids: the image of each row; None if the file does not say it.
        ids_name: what says it.
    """

    path: Path
    shape: tuple[int, ...]
    stored: DType
    map: FeatureMap | None
    read: Callable[[int, int], Array]
    read_ids: Callable[[], list[ImageId] | None]
    ids_name: str | None


def one_by_one(
    path: Path,
    names: Sequence[str],
    open_one: Callable[[str], Any],
    layout: str | None,
) -> FeatureFile:
    """A file, or folder, that has an array for each image, under its id or name.

    Axes of length 1 before others are left out: (1, F) is (F,).

    Args:
        path: of it.
        names: of the images.
        open_one: what has the shape and type of an image's array, and becomes it by `numpy.asarray`.
        layout: of maps, where the user says it.

    Raises:
        DataError: the first is no array of floating-point numbers; when rows are read, one is unlike the first.
    """
    first = open_one(names[0])
    row, dtype = _row(first), np.dtype(first.dtype)
    if not np.issubdtype(dtype, np.floating) or 0 in row:
        raise DataError(
            f"{path}: {names[0]} is {_what(first)}, but must be the floating-point numbers of an image"
        )

    def read(begin: int, end: int) -> Array:
        block = []
        for name in names[begin:end]:
            one = open_one(name)
            if _row(one) != row or one.dtype != dtype:
                raise DataError(
                    f"{path}: {name} is {_what(one)}, but {names[0]} is {_what(first)}; features of one kind are "
                    "alike"
                )
            block.append(np.asarray(one).reshape(row))
        return np.stack(block)

    return FeatureFile(
        path,
        (len(names), *row),
        dtype,
        map_layout(path, row, layout),
        read,
        lambda: ids_of(path, "the name of image", names),
        "the names",
    )


def map_layout(path: Path, row: tuple[int, ...], layout: str | None) -> FeatureMap | None:
    """What the numbers of a row are; None if it is flat."""
    return map_of(row, layout, f"{path}: features", "with --layout")


def ids_of(path: Path, name: str, found: Sequence[object]) -> list[ImageId]:
    """Whole numbers, or texts in normalization form C."""
    mistakes = Mistakes(path)
    ids = [_id(f"{name}[{row}]", value, mistakes) for row, value in enumerate(found)]
    mistakes.tell()
    return ids


def ids_of_rows(path: Path, name: str, found: Any, rows: int) -> list[ImageId]:
    """Those of an array, or of a dataset, that has one for each row of features."""
    count = math.prod(getattr(found, "shape", (0,)))  # a group has none
    if count != rows:  # before they are read
        raise DataError(
            f"{path}: {name} has {count} rows, but features has {rows}; it must name the image of each"
        )
    return ids_of(path, name, np.ravel(np.asarray(found)).tolist())


def no_features(path: Path, wanted: str, names: Sequence[str]) -> DataError:
    """That a file has no features of that name, and how to say another."""
    return DataError(
        f"{path} has no dataset {wanted}; name the one with the features with --dataset; it has {listed(names)}"
    )


def _row(array: Any) -> tuple[int, ...]:
    row = tuple(array.shape)
    while len(row) > 1 and row[0] == 1:
        row = row[1:]
    return row or (1,)


def _what(array: Any) -> str:
    return f"{array.dtype} {tuple(array.shape)}"


def _id(place: str, value: object, mistakes: Mistakes) -> ImageId:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bytes):
        value = value.decode(errors="surrogateescape")
    if isinstance(value, str) and lone_surrogate(value) is None:
        return composed(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    mistakes.add(place, f"it is {quoted(value)}, but must be a whole number or UTF-8 text")
    return ""
