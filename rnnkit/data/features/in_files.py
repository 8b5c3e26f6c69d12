"""Features in HDF5 files, one or many, of which rows are read as they are wanted."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import h5py
import numpy as np

from rnnkit.data.features.ahead import read_ahead
from rnnkit.data.features.groups import GROUP_BYTES, GroupReader, groups
from rnnkit.data.features.interface import Features, check_finite, ignore
from rnnkit.data.features.maps import FeatureMap, channels_first
from rnnkit.data.features.one_file import blocks
from rnnkit.data.features.reading import called, reading
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array, DType, Ints
from rnnkit.system.hdf5 import open_to_read, take

READ_BYTES = 4 * 2**20
"""The most that one read of rows takes."""

GAP_BYTES = 32 * 2**10
"""Rows that nobody wants are read, too, if they take no more than this between two that are wanted.

That is faster than another read, from an SSD as from the system's cache.
"""

OPEN_FILES = 64
"""The most files of a split that are open at once: systems allow a process some hundreds."""


class OpenFiles:
    """HDF5 files that are read from again and again: the last few stay open."""

    def __init__(self, cache: int) -> None:
        """With so many bytes of HDF5's cache for each."""
        self._cache = cache
        self._opened: dict[Path, tuple[Any, Any]] | None = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def features(self, path: Path) -> Iterator[Any]:
        """The dataset `features` of a file, for one thread at a time."""
        with self._lock:
            if self._opened is None:
                raise DataError(f"{path} has been closed; open the data again to read its rows")
            with reading(path):
                if path in self._opened:
                    file, dataset = self._opened.pop(path)
                else:
                    file = open_to_read(path, rdcc_nbytes=self._cache)
                    dataset = take(file, "features")
                self._opened[path] = file, dataset
                if len(self._opened) > OPEN_FILES:
                    self._opened.pop(next(iter(self._opened)))[0].close()
                yield dataset.id

    def close(self) -> None:
        """Close them for good."""
        with self._lock:
            for file, _ in (self._opened or {}).values():
                file.close()
            self._opened = None


@attrs.frozen(eq=False)
class FileFeatures(Features):
    """Features in HDF5 files, read when they are asked for.

    Attributes:
        paths: of the files; their rows follow each other.
        shape: (n, F).
        stored: the type of their values.
        map: what the numbers of a row are, if that is known.
    """

    paths: tuple[Path, ...]
    shape: tuple[int, int]
    stored: DType
    map: FeatureMap | None
    _row: tuple[int, ...] = attrs.field(repr=False)
    _bounds: Ints = attrs.field(repr=False)
    _open: OpenFiles = attrs.field(repr=False)
    held: ClassVar[bool] = False

    @property
    def files(self) -> int:
        return len(self.paths)

    @property
    def source(self) -> str:
        return called(self.paths)

    def check(self, progress: Callable[[int], object] = ignore) -> None:
        for block in blocks(self.paths):
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
        breaks = np.diff(rows) > 1 + GAP_BYTES // size
        breaks |= np.diff(rows // max(1, READ_BYTES // size)) > 0
        bounds = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(rows)]
        # By HDF5's own functions: h5py's fancy indexing and slicing take up to eight times as long.
        with self._open.features(path) as dataset:
            there = dataset.get_space()
            for begin, end in itertools.pairwise(bounds):
                wanted, place = rows[begin:end], int(at[begin])
                first, count = int(wanted[0]), int(wanted[-1] - wanted[0]) + 1
                apart = count > len(wanted) or (self.map is not None and self.map.channels_last)
                block = (
                    np.empty((count, self.width), self.stored)
                    if apart
                    else values[place : place + count]
                )
                shape = (count, *self._row)
                there.select_hyperslab((first, *(0 for _ in self._row)), shape)
                dataset.read(h5py.h5s.create_simple(shape), there, block.reshape(shape))
                if apart:
                    block = block[wanted - first]
                    values[at[begin:end]] = channels_first(block, self.map)
                check_finite(str(path), wanted, block)

    def _take(self, indices: Ints, dtype: DType) -> Array:
        wanted, place = np.unique(indices.astype(np.int64), return_inverse=True)
        values = np.empty((len(wanted), self.width), self.stored)
        self.fill(values, np.arange(len(wanted)), wanted)
        return values.astype(dtype, copy=False)[place]
