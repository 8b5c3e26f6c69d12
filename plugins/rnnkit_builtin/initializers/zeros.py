"""w = 0."""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Initializer, Rng


@attrs.frozen
class Zeros(Initializer):
    """All zeros."""

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        return np.zeros(shape, dtype)

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float]:
        return 0.0, 0.0
