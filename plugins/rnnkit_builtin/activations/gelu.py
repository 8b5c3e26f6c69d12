"""y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

This is the tanh form of Hendrycks & Gimpel, "Gaussian error linear units" (2016), section 2, which is within
5e-4 of x P(Z <= x), Z standard normal; the same function as PyTorch's with `approximate="tanh"`.
"""

from __future__ import annotations

import math

import attrs
import numpy as np

from rnnkit.kinds import Activation, Array

SCALE = math.sqrt(2.0 / math.pi)
CUBIC = 0.044715


@attrs.frozen
class Gelu(Activation):
    """Gaussian error linear unit, tanh form."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        square = x * x
        gate = 0.5 * (1.0 + np.tanh(SCALE * x * (1.0 + CUBIC * square)))
        inner = SCALE * (1.0 + 3.0 * CUBIC * square)
        return x * gate, gate + 2.0 * x * gate * (1.0 - gate) * inner

    def backward(self, dy: Array, saved: Array) -> Array:
        return dy * saved
