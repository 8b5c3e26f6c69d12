"""What features are, wherever their values: rows of numbers for images, looked at before they are used."""

from __future__ import annotations

import abc
from collections.abc import Callable, Generator, Iterable
from typing import ClassVar

import numpy as np

from rnnkit.data.features.maps import FeatureMap
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array, DType, Ints


def ignore(_: int) -> None:
    """Progress that nobody watches."""


class Features(abc.ABC):
    """The feature vectors of a split's images: n rows of width F, finite in float32.

    A feature map is one row of width F = C L here, channels first, whatever its layout in the files.
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
    def map(self) -> FeatureMap | None:
        """What the numbers of a row are; None if the files do not tell that it is a map."""

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


def check_finite(source: str, rows: Ints, values: Array) -> None:
    """That the values (k, F) of some rows are finite in float32."""
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32, copy=False))
    if not finite.all():
        k, column = np.argwhere(~finite)[0].tolist()
        raise DataError(
            f"{source}: features[{rows[k]}, {column}] is {values[k, column]}, but features must be "
            "finite (in float32); compute that image's features again, or leave it out"
        )
