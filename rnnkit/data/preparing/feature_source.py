"""Features of images that are in no split yet, from HDF5 files or NumPy ones, read in blocks of rows."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from rnnkit.data.annotations import ImageId
from rnnkit.data.features.maps import LAST, FeatureMap, map_of, said_in
from rnnkit.data.features.reading import called, find_dataset, open_hdf5, reading
from rnnkit.data.mistakes import Mistakes
from rnnkit.errors import DataError, shown
from rnnkit.kinds.arrays import Array, DType, Ints
from rnnkit.system.hdf5 import take
from rnnkit.system.unicode import composed, lone_surrogate
from rnnkit.system.why import NPY, check_ordinary, why

BLOCK_BYTES = 16 * 2**20
"""How much is read in one piece."""

_IDS = ("image_ids", "ids")


@attrs.frozen(eq=False)
class _File:
    """An open file: its shape and type, what its rows are, how rows `first` to before `last` are read, and the ids of its images."""

    path: Path
    shape: tuple[int, ...]
    stored: DType
    map: FeatureMap | None
    read: Callable[[int, int], Array]
    read_ids: Callable[[], list[ImageId] | None]
    ids_name: str | None


@attrs.frozen(eq=False)
class FeatureSource:
    """Open features; the rows of several files follow each other.

    Attributes:
        name: what errors call them.
        row: the shape of a row: (F,), or that of a map.
        map: what the numbers of a row are, if they are a map.
    """

    name: str
    row: tuple[int, ...]
    map: FeatureMap | None
    _files: Sequence[_File]

    @property
    def width(self) -> int:
        """F, the numbers of a row."""
        return math.prod(self.row)

    def __len__(self) -> int:
        return sum(file.shape[0] for file in self._files)

    @property
    def dtype(self) -> DType:
        """What rows are read as: half or single precision."""
        half = all(file.stored.itemsize == 2 for file in self._files)
        return np.dtype(np.float16 if half else np.float32)

    def place_of(self, row: int) -> str:
        """The file that has a row, and what it calls its `image_ids`."""
        for file in self._files:
            if row < file.shape[0]:
                return f"{file.path}: {file.ids_name}"
            row -= file.shape[0]
        raise IndexError(row)

    def ids(self) -> list[ImageId] | None:
        """The image of each row; None if the files do not say them.

        Raises:
            DataError: some files say them and some do not, or one has too few.
        """
        by_file = [file.read_ids() for file in self._files]
        silent = [file.path for file, ids in zip(self._files, by_file, strict=True) if ids is None]
        if len(silent) == len(by_file):
            return None
        if silent:
            raise DataError(
                f"{silent[0]} has no {_IDS[0]}, but other files have; add it, or leave it out of all of them"
            )
        return [image for ids in by_file for image in ids or ()]

    def blocks(self, rows: Ints) -> Iterator[tuple[int, Array]]:
        """Some rows in pieces, as (how many came before, values), flat but in the order of the file.

        Args:
            rows: (k,), rising. Blocks of the files that have none of them are not read.

        Raises:
            DataError: a value is not finite in single precision, or a file is damaged.
        """
        begin = 0
        for file in self._files:
            end = begin + file.shape[0]
            step = max(1, BLOCK_BYTES // (self.width * file.stored.itemsize))
            for start in range(begin, end, step):
                first, last = np.searchsorted(rows, (start, min(start + step, end)))
                if first < last:
                    yield int(first), self._read(file, rows[first:last] - begin)
            begin = end

    def _read(self, file: _File, rows: Ints) -> Array:
        first, last = int(rows[0]), int(rows[-1]) + 1
        block = file.read(first, last).reshape(last - first, -1)
        if len(block) > len(rows):
            block = block[rows - first]
        with np.errstate(over="ignore"):
            block = block.astype(self.dtype, copy=False)
        finite = np.isfinite(block)
        if not finite.all():
            row, column = np.argwhere(~finite)[0].tolist()
            raise DataError(
                f"{file.path}: the feature in row {rows[row]}, column {column} is "
                f"{block[row, column]}, but features must be finite (in float32); compute that "
                "image's features again, or leave it out"
            )
        return block


@contextlib.contextmanager
def open_source(paths: Sequence[Path], layout: str | None = None) -> Iterator[FeatureSource]:
    """Open features, (images, width) or maps, floating-point.

    Args:
        paths: NumPy files if they end in .npy; else HDF5 files with the dataset `features` and perhaps
            `image_ids` (or `ids`), the image of each row.
        layout: of maps: chw, hwc or lc; where it is left open, the files say it, or their shape must.

    Raises:
        DataError: a file is not of this form, or has another width than the first.
    """
    with contextlib.ExitStack() as opened:
        files = [
            _npy(path, layout)
            if path.suffix == ".npy"
            else _hdf5(path, opened.enter_context(open_hdf5(path)), layout)
            for path in paths
        ]
        first = files[0]
        for file in files:
            if file.shape[1:] != first.shape[1:]:
                raise DataError(
                    f"{file.path} has {_rows(file)}, but {paths[0]} {_rows(first)}; features of one kind are "
                    "alike"
                )
            if file.map and first.map and file.map.layout != first.map.layout:
                raise DataError(
                    f"{file.path} has maps in the layout {file.map.layout}, but {paths[0]} in "
                    f"{first.map.layout}; prepare those of one layout"
                )
        yield FeatureSource(called(paths), first.shape[1:], first.map, files)


def _rows(file: _File) -> str:
    row = file.shape[1:]
    return f"features of width {row[0]}" if len(row) == 1 else f"maps of shape {row}"


def _map_of(path: Path, row: tuple[int, ...], layout: str | None) -> FeatureMap | None:
    return map_of(row, layout, f"{path}: features", "with --layout")


def _hdf5(path: Path, file: Any, layout: str | None) -> _File:
    values = find_dataset(file, path, ("features",), np.floating, ("images", "width"), True)

    def read(first: int, last: int) -> Array:
        with reading(path):
            block: Array = values[first:last]
        return block

    with reading(path):
        name = next((name for name in _IDS if file.id.links.exists(name.encode())), None)
        said = said_in(values)
    ids = partial(_read_ids, file, path, name, len(values))
    if None not in (layout, said) and (layout in LAST) != (said in LAST):
        raise DataError(
            f"{path} says that its layout is {said}, but --layout says {layout}; leave that out"
        )
    found = _map_of(path, values.shape[1:], said or layout)
    return _File(path, values.shape, values.dtype, found, read, ids, name)


def _npy(path: Path, layout: str | None) -> _File:
    def read(first: int, last: int) -> Array:
        # Mapped anew each time: of a map that stays, all that was ever read counts as this process's memory.
        return np.array(_open_npy(path)[first:last])

    values = _open_npy(path)
    found = _map_of(path, values.shape[1:], layout)
    return _File(path, values.shape, values.dtype, found, read, lambda: None, None)


def _open_npy(path: Path) -> Any:
    try:
        check_ordinary(path)
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise DataError(why(error, path, NPY)) from error
    if not (
        isinstance(values, np.ndarray)
        and np.issubdtype(values.dtype, np.floating)
        and values.ndim >= 2
        and values.size
    ):
        found = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "an archive"
        raise DataError(
            f"{path} has {found}, but must have floating-point numbers (images, width), or maps"
        )
    return values


def _read_ids(file: Any, path: Path, name: str | None, rows: int) -> list[ImageId] | None:
    if name is None:
        return None
    with reading(path):
        found = np.ravel(take(file, name)[()]).tolist()
    if len(found) != rows:
        raise DataError(
            f"{path}: {name} has {len(found)} rows, but features has {rows}; it must name the image of each"
        )
    mistakes = Mistakes(path)
    ids = [_read_id(f"{name}[{row}]", value, mistakes) for row, value in enumerate(found)]
    mistakes.tell()
    return ids


def _read_id(place: str, value: object, mistakes: Mistakes) -> ImageId:
    """A whole number, or text in normalization form C."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bytes):
        value = value.decode(errors="surrogateescape")
    if isinstance(value, str) and lone_surrogate(value) is None:
        return composed(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    mistakes.add(place, f"it is {shown(value)}, but must be a whole number or UTF-8 text")
    return ""
