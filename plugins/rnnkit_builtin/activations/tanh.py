"""y = tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

LeCun, Bottou, Orr & Müller, "Efficient BackProp" (1998), section 4.4.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Activation, Array


@attrs.frozen
class Tanh(Activation):
    """Hyperbolic tangent."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        y = np.tanh(x)
        return y, y

    def backward(self, dy: Array, saved: Array) -> Array:
        return dy * (1.0 - saved * saved)
