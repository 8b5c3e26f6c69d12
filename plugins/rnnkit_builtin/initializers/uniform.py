"""w ~ U(-limit, limit), by default with limit = 1/sqrt(fan_in), as PyTorch's linear layers begin.

Its variance is then a third of what LeCun, Bottou, Orr & Müller, "Efficient BackProp" (1998), section 4.6, want.
"""

from __future__ import annotations

import math

import attrs
from attrs.validators import ge, optional

from rnnkit.kinds import Array, DType, Initializer, Rng


@attrs.frozen
class Uniform(Initializer):
    """Independent numbers, even around zero.

    Attributes:
        limit: the largest magnitude; 1/sqrt(fan_in) if left open.
    """

    limit: float | None = attrs.field(default=None, validator=optional(ge(0.0)))

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        limit = 1.0 / math.sqrt(fan_in) if self.limit is None else self.limit
        return rng.uniform(-limit, limit, shape).astype(dtype)

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float]:
        limit = 1.0 / math.sqrt(fan_in) if self.limit is None else self.limit
        return 0.0, limit / math.sqrt(3.0)
