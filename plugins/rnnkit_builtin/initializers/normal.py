"""w ~ N(0, std^2), by default with std = 1/sqrt(fan_in), which keeps the variance from input to output.

LeCun, Bottou, Orr & Müller, "Efficient BackProp" (1998), section 4.6.
"""

from __future__ import annotations

import math

import attrs
from attrs.validators import ge, optional

from rnnkit.kinds import Array, DType, Initializer, Rng


@attrs.frozen
class Normal(Initializer):
    """Independent normal numbers.

    Attributes:
        std: their standard deviation; 1/sqrt(fan_in) if left open.
    """

    std: float | None = attrs.field(default=None, validator=optional(ge(0.0)))

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        std = 1.0 / math.sqrt(fan_in) if self.std is None else self.std
        return rng.normal(0.0, std, shape).astype(dtype)

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float]:
        return 0.0, 1.0 / math.sqrt(fan_in) if self.std is None else self.std
