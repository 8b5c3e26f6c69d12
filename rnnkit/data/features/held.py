"""Features in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import attrs
import numpy as np

from rnnkit.data.features.interface import Features, check_finite, ignore
from rnnkit.data.features.maps import FeatureMap
from rnnkit.kinds.arrays import Array, DType, Ints


@attrs.frozen(eq=False)
class HeldFeatures(Features):
    """Features in memory.

    Attributes:
        values: (n, F).
        source: what errors call them.
        stored: the type they had in the files; that of `values` unless given.
        files: how many files they are from.
        map: what the numbers of a row are, if that is known.
    """

    values: Array = attrs.field(repr=False)
    source: str = "the array of features"
    stored: DType = attrs.field()
    files: int = 0
    map: FeatureMap | None = None
    held: ClassVar[bool] = True

    @stored.default
    def _as_held(self) -> DType:
        return self.values.dtype

    @property
    def shape(self) -> tuple[int, int]:
        n, width = self.values.shape
        return n, width

    def check(self, progress: Callable[[int], object] = ignore) -> None:
        check_finite(self.source, np.arange(len(self)), self.values)
        progress(len(self))

    def close(self) -> None:
        pass

    def _take(self, indices: Ints, dtype: DType) -> Array:
        return self.values[indices].astype(dtype, copy=False)
