"""Image features in HDF5 files: small ones are held in memory, of large ones rows are read as they are wanted."""

from __future__ import annotations

import abc
import contextlib
import itertools
import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import h5py
import numpy as np

from rnnkit.data.features.ahead import read_ahead
from rnnkit.data.features.groups import GROUP_BYTES, GroupReader, groups
from rnnkit.data.reading import called, find_dataset, open_hdf5, reading
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array, DType, Ints

HELD_BYTES = 256 * 2**20
"""Features that take no more than this in memory are read once and held."""

BLOCK_BYTES = 16 * 2**20
"""How much of a file is looked at in one piece when all of it is."""

READ_BYTES = 4 * 2**20
"""The most that one read of rows takes."""

GAP_BYTES = 32 * 2**10
"""Rows that nobody wants are read, too, if they take no more than this between two that are wanted.

That is faster than another read, from an SSD as from the system's cache.
"""

CACHE_BYTES = 32 * 2**20
"""HDF5's cache of unpacked chunks, for compressed files."""

OPEN_FILES = 64
"""The most files of a split that are open at once: systems allow a process some hundreds."""


def ignore(_: int) -> None:
    """Progress that nobody watches."""


class Features(abc.ABC):
    """The feature vectors of a split's images: n rows of width F, finite in float32.

    A feature map (C, K, K) for each image is one row of width F = C K K here.
    """

    held: ClassVar[bool]
    """Whether the values are in memory, rather than read when they are wanted."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, int]:
        """(n, F)."""

    @property
    @abc.abstractmethod
    def stored(self) -> DType:
        """The type of the values in the files."""

    @property
    @abc.abstractmethod
    def files(self) -> int:
        """How many files they are in."""

    @property
    @abc.abstractmethod
    def source(self) -> str:
        """What errors call them."""

    @abc.abstractmethod
    def check(self, progress: Callable[[int], object] = ignore) -> None:
        """Look at every value.

        Args:
            progress: called with the number of rows in each piece that has been looked at.

        Raises:
            DataError: one is not finite, or a file cannot be read.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close the files that are open; rows cannot be read from them afterwards."""

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
            DataError: an index is out of range, a value is not finite, or a file cannot be read any more.
        """
        self.require(indices)
        return self._take(indices, dtype)

    def require(self, indices: Ints) -> None:
        """Raise a DataError if an index is out of range."""
        outside = (indices < 0) | (indices >= len(self))
        if outside.any():
            raise DataError(
                f"{self.source} has no row {indices[outside][0]}; "
                f"its {len(self)} rows are 0 to {len(self) - 1}"
            )

    def batches(self, batches: Iterable[Ints], dtype: DType) -> Generator[Array, None, None]:
        """`rows` for one array of indices after the other.

        From files, groups of consecutive batches are read while the group before is used: each row that a group
        wants once, in the order of the files. `batches` is gone through no further than that takes. What `rows`
        raises is raised in its place, and once the iterator is closed nothing more is read.
        """
        for indices in batches:
            yield self.rows(indices, dtype)


@attrs.frozen(eq=False)
class HeldFeatures(Features):
    """Features in memory.

    Attributes:
        values: (n, F).
        source: what errors call them.
        stored: the type they had in the files; that of `values` unless given.
        files: how many files they are from.
    """

    values: Array = attrs.field(repr=False)
    source: str = "the array of features"
    stored: DType = attrs.field()
    files: int = 0
    held: ClassVar[bool] = True

    @stored.default
    def _as_held(self) -> DType:
        return self.values.dtype

    @property
    def shape(self) -> tuple[int, int]:
        n, width = self.values.shape
        return n, width

    def check(self, progress: Callable[[int], object] = ignore) -> None:
        _check_finite(self.source, np.arange(len(self)), self.values)
        progress(len(self))

    def close(self) -> None:
        pass

    def _take(self, indices: Ints, dtype: DType) -> Array:
        return self.values[indices].astype(dtype, copy=False)


class _OpenFiles:
    """HDF5 files that are read from again and again: the last few stay open."""

    def __init__(self, cache: int) -> None:
        """With so many bytes of HDF5's cache for each."""
        self._cache = cache
        self._files: dict[Path, Any] | None = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def features(self, path: Path) -> Iterator[Any]:
        """The dataset `features` of a file, for one thread at a time."""
        with self._lock:
            if self._files is None:
                raise DataError(f"{path} has been closed; open the data again to read its rows")
            with reading(path):
                file = self._files.pop(path, None)
                if file is None:
                    file = h5py.File(path, "r", rdcc_nbytes=self._cache)
                self._files[path] = file
                if len(self._files) > OPEN_FILES:
                    self._files.pop(next(iter(self._files))).close()
                yield file["features"].id

    def close(self) -> None:
        """Close them for good."""
        with self._lock:
            for file in (self._files or {}).values():
                file.close()
            self._files = None


@attrs.frozen(eq=False)
class FileFeatures(Features):
    """Features in HDF5 files, read when they are asked for.

    Attributes:
        paths: of the files; their rows follow each other.
        shape: (n, F).
        stored: the type of their values.
    """

    paths: tuple[Path, ...]
    shape: tuple[int, int]
    stored: DType
    _row: tuple[int, ...] = attrs.field(repr=False)
    _bounds: Ints = attrs.field(repr=False)
    _open: _OpenFiles = attrs.field(repr=False)
    held: ClassVar[bool] = False

    @property
    def files(self) -> int:
        return len(self.paths)

    @property
    def source(self) -> str:
        return called(self.paths)

    def check(self, progress: Callable[[int], object] = ignore) -> None:
        for block in _blocks(self.paths):
            progress(len(block))

    def close(self) -> None:
        self._open.close()

    def batches(self, batches: Iterable[Ints], dtype: DType) -> Generator[Array, None, None]:
        size = self.width * self.stored.itemsize
        reader = GroupReader(self, dtype)
        reads = (partial(reader.read, group) for group in groups(batches, GROUP_BYTES // size))
        with contextlib.closing(read_ahead(reads)) as ahead:
            for group in ahead:
                yield from group

    def fill(self, values: Array, at: Ints, rows: Ints) -> None:
        """Read rows into places of an array; neighbours come in one read.

        Args:
            values: (m, F), of the stored type.
            at: (k,), the places, rising; neighbouring rows have neighbouring places.
            rows: (k,), rising, all in range.

        Raises:
            DataError: a value of them is not finite, or a file cannot be read any more.
        """
        file = np.searchsorted(self._bounds, rows, side="right") - 1
        for k in np.unique(file).tolist():
            first, last = np.searchsorted(file, (k, k + 1))
            of_file = rows[first:last] - self._bounds[k]
            self._fill_from(self.paths[k], values, at[first:last], of_file)

    def _fill_from(self, path: Path, values: Array, at: Ints, rows: Ints) -> None:
        size = self.width * self.stored.itemsize
        apart = np.diff(rows) > 1 + GAP_BYTES // size
        apart |= np.diff(rows // max(1, READ_BYTES // size)) > 0
        bounds = [0, *(np.flatnonzero(apart) + 1).tolist(), len(rows)]
        # By HDF5's own functions: h5py's fancy indexing and slicing take up to eight times as long.
        with self._open.features(path) as dataset:
            there = dataset.get_space()
            for begin, end in itertools.pairwise(bounds):
                wanted, place = rows[begin:end], int(at[begin])
                first, count = int(wanted[0]), int(wanted[-1] - wanted[0]) + 1
                gaps = count > len(wanted)
                block = (
                    np.empty((count, self.width), self.stored)
                    if gaps
                    else values[place : place + count]
                )
                shape = (count, *self._row)
                there.select_hyperslab((first, *(0 for _ in self._row)), shape)
                dataset.read(h5py.h5s.create_simple(shape), there, block.reshape(shape))
                if gaps:
                    block = block[wanted - first]
                    values[at[begin:end]] = block
                _check_finite(str(path), wanted, block)

    def _take(self, indices: Ints, dtype: DType) -> Array:
        wanted, place = np.unique(indices.astype(np.int64), return_inverse=True)
        values = np.empty((len(wanted), self.width), self.stored)
        self.fill(values, np.arange(len(wanted)), wanted)
        return values.astype(dtype, copy=False)[place]


def open_features(*paths: Path) -> Features:
    """Open the dataset `features` (n, F), or of feature maps (n, C, K, K), of files whose rows follow each other.

    Features that are held are looked at, all of them; others when they are read, or with `check`.

    Raises:
        DataError: a file cannot be read, or is not like the others; or features to be held are not finite.
    """
    headers = [_read_header(path) for path in paths]
    first = headers[0]
    for path, header in zip(paths, headers, strict=True):
        if (header.row, header.stored) != (first.row, first.stored):
            raise DataError(
                f"{path} has rows of shape {header.row} and type {header.stored}, but {paths[0]} of "
                f"{first.row} and {first.stored}; shards of one split must be alike"
            )
    bounds = np.cumsum([0, *(header.rows for header in headers)])
    n, width, stored = int(bounds[-1]), math.prod(first.row), first.stored
    in_memory = np.result_type(stored, np.float32)
    if n * width * in_memory.itemsize > HELD_BYTES:
        # An unpacked chunk must be kept for its next row, but a plain file is best read past the cache,
        # which fetches whole chunks where rows would do.
        packed = any(header.packed for header in headers)
        return FileFeatures(
            paths, (n, width), stored, first.row, bounds, _OpenFiles(CACHE_BYTES if packed else 0)
        )
    values = np.empty((n, width), in_memory)
    done = 0
    for block in _blocks(paths):
        values[done : done + len(block)] = block
        done += len(block)
    values.flags.writeable = False
    return HeldFeatures(values, called(paths), stored, len(paths))


@attrs.frozen
class _Header:
    """What a file has: so many rows of a shape and a type, compressed or not."""

    rows: int
    row: tuple[int, ...]
    stored: DType
    packed: bool


def _read_header(path: Path) -> _Header:
    with open_hdf5(path) as file:
        dataset = _find_features(file, path)
        rows, *row = dataset.shape
        packed = dataset.id.get_create_plist().get_nfilters() > 0
        return _Header(rows, tuple(row), dataset.dtype, packed)


def _find_features(file: Any, path: Path) -> Any:
    return find_dataset(file, path, ("features",), np.floating, ("images", "width"), True)


def _blocks(paths: Sequence[Path]) -> Iterator[Array]:
    """All rows from first to last, looked at, in pieces of whole chunks."""
    for path in paths:
        with open_hdf5(path) as file:
            dataset = _find_features(file, path)
            n, *row = dataset.shape
            rows = max(1, BLOCK_BYTES // (math.prod(row) * dataset.dtype.itemsize))
            chunk = dataset.chunks[0] if dataset.chunks else 1
            if rows > chunk:
                rows -= rows % chunk
            for start in range(0, n, rows):
                with reading(path):
                    block: Array = dataset[start : start + rows]
                block = block.reshape(len(block), -1)
                _check_finite(str(path), np.arange(start, start + len(block)), block)
                yield block


def _check_finite(source: str, rows: Ints, values: Array) -> None:
    """That the values (k, F) of some rows are finite in float32."""
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32, copy=False))
    if not finite.all():
        k, column = np.argwhere(~finite)[0].tolist()
        raise DataError(
            f"{source}: features[{rows[k]}, {column}] is {values[k, column]}, but features must be "
            "finite (in float32); compute that image's features again, or leave it out"
        )
