"""y = x for x > 0, alpha (exp(x) - 1) otherwise.

Clevert, Unterthiner & Hochreiter, "Fast and accurate deep network learning by exponential linear units"
(2016), section 3.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Activation, Array


@attrs.frozen
class Elu(Activation):
    """Exponential linear unit.

    Attributes:
        alpha: minus the limit for x to minus infinity, at least 0; with 1 the slope has no jump.
    """

    alpha: float = attrs.field(default=1.0, validator=attrs.validators.ge(0.0))

    def forward(self, x: Array) -> tuple[Array, Array]:
        negative = np.where(x.real > 0, 0.0, x)
        y = np.where(x.real > 0, x, self.alpha * np.expm1(negative))
        slope = np.where(x.real > 0, 1.0, self.alpha * np.exp(negative))
        return y, slope

    def backward(self, dy: Array, saved: Array) -> Array:
        return dy * saved

    def kinks(self) -> tuple[float, ...]:
        return () if self.alpha == 1.0 else (0.0,)
