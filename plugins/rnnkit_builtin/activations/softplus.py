"""y = log(1 + exp(x)), computed as max(x, 0) + log(1 + exp(-|x|)), which cannot overflow.

Dugas, Bengio, Bélisle, Nadeau & Garcia, "Incorporating second-order functional knowledge for better option
pricing" (2001), section 3.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Activation, Array


@attrs.frozen
class Softplus(Activation):
    """Smooth rectifier, whose slope is the logistic sigmoid."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        positive = x.real > 0
        e = np.exp(np.where(positive, -x, x))
        y = np.where(positive, x, 0.0) + np.log1p(e)
        slope = np.where(positive, 1.0, e) / (1.0 + e)
        return y, slope

    def backward(self, dy: Array, saved: Array) -> Array:
        return dy * saved
