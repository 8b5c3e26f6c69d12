"""Features of images that are in no split yet, from files of any form, read in blocks of rows."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np

from rnnkit.data.annotations import ImageId
from rnnkit.data.features.maps import FeatureMap
from rnnkit.data.features.reading import called
from rnnkit.data.preparing.feature_files import IDS, FeatureFile, open_file
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array, DType, Ints

BLOCK_BYTES = 16 * 2**20
"""How much is read in one piece."""


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
    _files: Sequence[FeatureFile]

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
                f"{silent[0]} has no {IDS[0]}, but other files have; add it, or leave it out of all of them"
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

    def _read(self, file: FeatureFile, rows: Ints) -> Array:
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
def open_source(
    paths: Sequence[Path], layout: str | None = None, dataset: str | None = None
) -> Iterator[FeatureSource]:
    """Open features, (images, width) or maps, floating-point.

    Args:
        paths: NumPy files if they end in .npy, or archives if in .npz; folders with a .npy file for each image; else
            HDF5 files. These and archives have the dataset `features` and perhaps `image_ids` (or `ids`), the image of
            each row; or else a dataset for each image.
        layout: of maps: chw, hwc or lc; where it is left open, the files say it, or their shape must.
        dataset: the name of the features in archives and HDF5 files, if not `features`.

    Raises:
        DataError: a file is not of this form, or has another width than the first.
    """
    with contextlib.ExitStack() as opened:
        files = [open_file(path, layout, dataset, opened) for path in paths]
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


def _rows(file: FeatureFile) -> str:
    row = file.shape[1:]
    return f"features of width {row[0]}" if len(row) == 1 else f"maps of shape {row}"
