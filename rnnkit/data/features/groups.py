"""Batches of rows read in groups: each distinct row once, in the order of the files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array, DType, Ints

GROUP_BYTES = 64 * 2**20
"""Stored values of a group: enough for long reads, and a small part of the memory, which has two of them.

The first batch waits for the first group, a tenth of a second on an SSD. Smaller groups to begin with would come
sooner, but batches after them would wait, for longer in all.
"""

GROUP_BATCHES = 1000
"""The most batches of a group: they may have few rows, again and again, and be without end."""

PIECE = 256
"""Rows that are copied from the group before at once; they are twice in memory meanwhile."""


class Rows(Protocol):
    """What groups are read from; see `rnnkit.data.features.FileFeatures`."""

    @property
    def width(self) -> int: ...

    @property
    def stored(self) -> DType: ...

    def require(self, indices: Ints) -> None: ...

    def rows(self, indices: Ints, dtype: DType) -> Array: ...

    def fill(self, values: Array, at: Ints, rows: Ints) -> None: ...


def groups(batches: Iterable[Ints], enough: int) -> Iterator[list[Ints]]:
    """Consecutive batches together: as few as have so many distinct rows, unless those are too many batches."""
    group: list[Ints] = []
    rows: set[int] = set()
    for indices in batches:
        group.append(indices)
        rows.update(indices.tolist())
        if len(rows) >= enough or len(group) == GROUP_BATCHES:
            yield group
            group, rows = [], set()
    if group:
        yield group


class GroupReader:
    """Reads one group after the other. What two neighbours have in common is read once."""

    def __init__(self, features: Rows, dtype: DType) -> None:
        """The batches will be of `dtype`."""
        self._features = features
        self._dtype = dtype
        self._rows: Ints = np.empty(0, np.int64)
        self._values: Array = np.empty((0, features.width), features.stored)

    def read(self, group: Sequence[Ints]) -> Iterator[Array]:
        """`rows` of each batch of a group, which are in memory until the last of them has been taken."""
        rows = np.unique(np.concatenate(group)).astype(np.int64)
        try:
            values = self._read(rows)
        except DataError:
            # One by one, so that those before the batch that cannot be read come, and it is told in its place.
            return (self._features.rows(indices, self._dtype) for indices in group)
        self._rows, self._values = rows, values
        return (
            values[np.searchsorted(rows, indices)].astype(self._dtype, copy=False)
            for indices in group
        )

    def _read(self, rows: Ints) -> Array:
        self._features.require(rows)
        values = np.empty((len(rows), self._features.width), self._features.stored)
        _, at, before = np.intersect1d(rows, self._rows, assume_unique=True, return_indices=True)
        for i in range(0, len(at), PIECE):
            values[at[i : i + PIECE]] = self._values[before[i : i + PIECE]]
        new = np.setdiff1d(np.arange(len(rows)), at, assume_unique=True)
        self._features.fill(values, new, rows[new])
        return values
