"""w of mean 0 and variance 2 gain^2 / (fan_in + fan_out).

Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010),
equations 12 and 16.
"""

from __future__ import annotations

import math
from typing import Literal

import attrs
from attrs.validators import gt, in_

from rnnkit.kinds import Array, DType, Initializer, Rng


@attrs.frozen
class Xavier(Initializer):
    """Keeps the variance about the same on the way forward and on the way back.

    Attributes:
        distribution: "uniform" or "normal".
        gain: factor on all values, for the activation that follows (1 for tanh).
    """

    distribution: Literal["uniform", "normal"] = attrs.field(
        default="uniform", validator=in_(("uniform", "normal"))
    )
    gain: float = attrs.field(default=1.0, validator=gt(0.0))

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        std = self.gain * math.sqrt(2.0 / (fan_in + fan_out))
        if self.distribution == "normal":
            return rng.normal(0.0, std, shape).astype(dtype)
        limit = math.sqrt(3.0) * std
        return rng.uniform(-limit, limit, shape).astype(dtype)

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float]:
        return 0.0, self.gain * math.sqrt(2.0 / (fan_in + fan_out))
