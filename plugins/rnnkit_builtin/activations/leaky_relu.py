"""y = x for x > 0, slope x otherwise.

Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic models" (2013), section 2.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Activation, Array


@attrs.frozen
class LeakyRelu(Activation):
    """Leaky rectifier.

    Attributes:
        slope: of the negative side, at least 0.
    """

    slope: float = attrs.field(default=0.01, validator=attrs.validators.ge(0.0))

    def forward(self, x: Array) -> tuple[Array, Array]:
        gain = np.where(x.real > 0, 1.0, self.slope).astype(x.real.dtype)
        return x * gain, gain

    def backward(self, dy: Array, saved: Array) -> Array:
        return dy * saved

    def kinks(self) -> tuple[float, ...]:
        return (0.0,)
