"""y = x for x > 0, 0 otherwise.

Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines" (2010), section 2.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Activation, Array


@attrs.frozen
class Relu(Activation):
    """Rectifier; its slope at 0 is taken as 0, and nan stays nan."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        y = np.where(x.real <= 0, 0.0, x)
        return y, y

    def backward(self, dy: Array, saved: Array) -> Array:
        return np.where(saved.real <= 0, 0.0, dy)

    def kinks(self) -> tuple[float, ...]:
        return (0.0,)
