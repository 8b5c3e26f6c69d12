"""Functions that more than one cell computes, analytic and free of overflow."""

from __future__ import annotations

import numpy as np

from rnnkit.kinds import Array
from rnnkit.numerics import sigmoid


def log_sigmoid(x: Array) -> Array:
    """log(1 / (1 + exp(-x))), elementwise, as min(x, 0) - log(1 + exp(-|x|)); its slope is sigmoid(-x)."""
    negative = x.real < 0
    y: Array = np.where(negative, x, 0.0) - np.log1p(np.exp(np.where(negative, x, -x)))
    return y


def positive(x: Array) -> tuple[Array, Array]:
    """g(x) = x + 0.5 where x >= 0, else sigmoid(x), and its slope.

    Feng et al., "Were RNNs all we needed?" (2024), appendix B: candidates that have a logarithm.
    """
    above, y = x.real >= 0, sigmoid(x)
    return np.where(above, x + 0.5, y), np.where(above, 1.0, y * (1.0 - y))
