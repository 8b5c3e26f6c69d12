"""y = 1 / (1 + exp(-x)).

Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors" (1986), equation 2.
"""

from __future__ import annotations

import attrs

from rnnkit.kinds import Activation, Array
from rnnkit.numerics import sigmoid


@attrs.frozen
class Sigmoid(Activation):
    """Logistic sigmoid."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        y = sigmoid(x)
        return y, y

    def backward(self, dy: Array, saved: Array) -> Array:
        return dy * saved * (1.0 - saved)
