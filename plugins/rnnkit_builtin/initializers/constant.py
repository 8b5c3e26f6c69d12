"""w = value."""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Initializer, Rng


@attrs.frozen
class Constant(Initializer):
    """One number everywhere.

    Attributes:
        value: the number.
    """

    value: float

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        return np.full(shape, self.value, dtype)

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float]:
        return self.value, 0.0
