"""w ~ N(0, 2 / ((1 + slope^2) fan_in)).

He, Zhang, Ren & Sun, "Delving deep into rectifiers" (2015), equation 15.
"""

from __future__ import annotations

import math

import attrs
from attrs.validators import ge

from rnnkit.kinds import Array, DType, Initializer, Rng


@attrs.frozen
class He(Initializer):
    """Keeps the variance through layers with rectifiers behind them.

    Attributes:
        slope: of the rectifier's negative side: 0 for relu, that of a leaky one.
    """

    slope: float = attrs.field(default=0.0, validator=ge(0.0))

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        std = math.sqrt(2.0 / ((1.0 + self.slope**2) * fan_in))
        return rng.normal(0.0, std, shape).astype(dtype)

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float]:
        return 0.0, math.sqrt(2.0 / ((1.0 + self.slope**2) * fan_in))
