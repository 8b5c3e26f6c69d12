"""y = x sigmoid(x), also known as swish.

Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units for neural network function approximation in
reinforcement learning" (2018), section 2.
"""

from __future__ import annotations

import attrs

from rnnkit.kinds import Activation, Array
from rnnkit.numerics import sigmoid


@attrs.frozen
class Silu(Activation):
    """Sigmoid-weighted linear unit."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        s = sigmoid(x)
        return x * s, s * (1.0 + x * (1.0 - s))

    def backward(self, dy: Array, saved: Array) -> Array:
        return dy * saved
