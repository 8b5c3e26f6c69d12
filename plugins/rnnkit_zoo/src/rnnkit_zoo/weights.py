"""Initial weights of cells that own their products."""

from __future__ import annotations

import math

from rnnkit.kinds import Array, DType, Initializer, Rng


def block(init: Initializer | None, rows: int, columns: int, rng: Rng, dtype: DType) -> Array:
    """Weights (rows, columns) of one gate; N(0, 1/rows) where `init` is left open, as for gated cells."""
    if init is not None:
        return init.fill((rows, columns), rows, columns, rng, dtype)
    return rng.normal(0.0, 1.0 / math.sqrt(rows), (rows, columns)).astype(dtype)
