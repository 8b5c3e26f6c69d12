"""LN(x) = (x - mean) / sqrt(var + eps) of each row, without gain and bias; var is the biased one.

Ba, Kiros & Hinton, "Layer normalization" (2016), equation 15 of the supplementary material.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array


@attrs.frozen
class Normalized:
    """LN(x), and what is needed to go back.

    Attributes:
        z: (N, D), the rows.
        scale: (N, 1), 1 / sqrt(var + eps).
    """

    z: Array
    scale: Array


def normalize(x: Array, eps: float) -> Normalized:
    """LN of each row of x (N, D)."""
    z = x - x.mean(axis=-1, keepdims=True)
    scale = np.reciprocal(np.sqrt((z * z).mean(axis=-1, keepdims=True) + eps))
    return Normalized(z * scale, scale)


def normalize_back(dz: Array, normalized: Normalized) -> Array:
    """dx (N, D) from the gradient dz (N, D) of LN(x)."""
    z = normalized.z
    dx: Array = dz - dz.mean(axis=-1, keepdims=True) - z * (dz * z).mean(axis=-1, keepdims=True)
    dx *= normalized.scale
    return dx
