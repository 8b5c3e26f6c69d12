"""Image features in HDF5 files: a small file is held in memory, a large one is read row by row."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import h5py
import numpy as np

from rnnkit.data.ahead import read_ahead
from rnnkit.data.reading import find_dataset, open_hdf5, reading
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array, DType, Ints

HELD_BYTES = 256 * 2**20
"""Features that take no more than this in memory are read once and held."""

BLOCK_BYTES = 16 * 2**20
"""How much of a file is looked at in one piece when it is opened."""

CACHE_BYTES = 32 * 2**20
"""HDF5's cache of unpacked chunks, for a compressed file read row by row."""


class Features(abc.ABC):
    """The feature vectors of a split's images: n rows of width F, all finite in float32.

    A feature map (C, K, K) for each image is one row of width F = C K K here.
    """

    held: ClassVar[bool]
    """Whether the values are in memory, rather than read row by row."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, int]:
        """(n, F)."""

    @property
    @abc.abstractmethod
    def stored(self) -> DType:
        """The type of the values in the file."""

    @property
    @abc.abstractmethod
    def source(self) -> str:
        """What errors call them."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the file, if one is open; its rows cannot be read afterwards."""

    @abc.abstractmethod
    def _take(self, indices: Ints, dtype: DType) -> Array:
        """`rows`, for indices that are in range."""

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def width(self) -> int:
        """F."""
        return self.shape[1]

    def rows(self, indices: Ints, dtype: DType) -> Array:
        """The features of some images.

        Args:
            indices: (k,), in any order, repeated or not.
            dtype: of the result.

        Returns:
            (k, F), a new array.

        Raises:
            DataError: an index is out of range, or the file cannot be read any more.
        """
        outside = (indices < 0) | (indices >= len(self))
        if outside.any():
            raise DataError(
                f"{self.source} has no row {indices[outside][0]}; "
                f"its {len(self)} rows are 0 to {len(self) - 1}"
            )
        return self._take(indices, dtype)

    def batches(self, batches: Iterable[Ints], dtype: DType) -> Iterator[Array]:
        """`rows` for one array of indices after the other; from a file, one batch ahead of its use."""
        reads = (partial(self.rows, indices, dtype) for indices in batches)
        return (read() for read in reads) if self.held else read_ahead(reads)


@attrs.frozen(eq=False)
class HeldFeatures(Features):
    """Features in memory.

    Attributes:
        values: (n, F).
        source: what errors call them.
        stored: the type they had in the file; that of `values` unless given.
    """

    values: Array = attrs.field(repr=False)
    source: str = "the array of features"
    stored: DType = attrs.field()
    held: ClassVar[bool] = True

    @stored.default
    def _as_held(self) -> DType:
        return self.values.dtype

    @property
    def shape(self) -> tuple[int, int]:
        n, width = self.values.shape
        return n, width

    def close(self) -> None:
        pass

    def _take(self, indices: Ints, dtype: DType) -> Array:
        return self.values[indices].astype(dtype, copy=False)


@attrs.frozen(eq=False)
class FileFeatures(Features):
    """Features in an open HDF5 file, read when they are asked for."""

    path: Path
    shape: tuple[int, int]
    stored: DType
    _row: tuple[int, ...] = attrs.field(repr=False)
    _file: Any = attrs.field(repr=False)
    held: ClassVar[bool] = False

    @property
    def source(self) -> str:
        return str(self.path)

    def close(self) -> None:
        self._file.close()

    def _take(self, indices: Ints, dtype: DType) -> Array:
        if not self._file:
            raise DataError(f"{self.path} has been closed; open the data again to read its rows")
        wanted, place = np.unique(indices.astype(np.int64), return_inverse=True)
        values = np.empty((len(wanted), self.width), self.stored)
        # One plain read for each run of neighbours, by HDF5's own functions: h5py's fancy indexing and
        # slicing take up to eight times as long.
        begins = np.flatnonzero(np.diff(wanted, prepend=-2) > 1).tolist()
        with reading(self.path):
            dataset = self._file["features"].id
            there = dataset.get_space()
            for begin, end in zip(begins, [*begins[1:], len(wanted)], strict=False):
                block = values[begin:end].reshape(end - begin, *self._row)
                there.select_hyperslab((int(wanted[begin]), *(0 for _ in self._row)), block.shape)
                dataset.read(h5py.h5s.create_simple(block.shape), there, block)
        return values.astype(dtype, copy=False)[place]


def open_features(path: Path) -> Features:
    """Open the dataset `features` (n, F), or of feature maps (n, C, K, K), and look at all of it.

    Raises:
        DataError: the file cannot be read, or its features are not finite numbers.
    """
    with open_hdf5(path) as file:
        dataset = find_dataset(file, path, ("features",), np.floating, ("images", "width"), True)
        n, *row = dataset.shape
        width = math.prod(row)
        stored: DType = dataset.dtype
        in_memory = np.result_type(stored, np.float32)
        hold = n * width * in_memory.itemsize <= HELD_BYTES
        values = np.empty((n if hold else 0, width), in_memory)
        for start, block in _blocks(path, dataset):
            block = block.reshape(len(block), width)
            _check_finite(path, start, block)
            if hold:
                values[start : start + len(block)] = block
        if hold:
            values.flags.writeable = False
            return HeldFeatures(values, str(path), stored)
        # An unpacked chunk must be kept for its next row, but a plain file is best read past the cache,
        # which fetches whole chunks where rows would do.
        packed = dataset.id.get_create_plist().get_nfilters() > 0
    with reading(path):
        file = h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES if packed else 0)
    return FileFeatures(path, (n, width), stored, tuple(row), file)


def _blocks(path: Path, dataset: Any) -> Iterator[tuple[int, Array]]:
    """The rows from first to last, as (number of the first row, rows), in pieces of whole chunks."""
    n, *row = dataset.shape
    rows = max(1, BLOCK_BYTES // (math.prod(row) * dataset.dtype.itemsize))
    chunk = dataset.chunks[0] if dataset.chunks else 1
    if rows > chunk:
        rows -= rows % chunk
    for start in range(0, n, rows):
        with reading(path):
            block: Array = dataset[start : start + rows]
        yield start, block


def _check_finite(path: Path, start: int, block: Array) -> None:
    with np.errstate(over="ignore"):
        finite = np.isfinite(block.astype(np.float32, copy=False))
    if not finite.all():
        row, column = np.argwhere(~finite)[0].tolist()
        raise DataError(
            f"{path}: features[{start + row}, {column}] is {block[row, column]}, but features must be "
            "finite (in float32); compute that image's features again, or leave it out"
        )
