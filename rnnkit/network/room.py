"""How many numbers a part will have, told before it is made: from small ones of the same kind.

A part has so many parameters as a polynomial of its widths says, of degree 2 at most: a weight for each pair of
neighbours, or of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from rnnkit.kinds import DType, Layer, Rng
from rnnkit.kinds.arrays import named_arrays
from rnnkit.network.engine import recurrent_layer

WORTH: Final = 10_000_000
"""Pairs of neighbours below which there is nothing to fear."""


def of_layer(layer: Layer[Any, Any, Any], in_features: int, dtype: DType) -> int:
    """Numbers in the parameters of a layer of this input width; 0 if small ones do not tell."""
    return _known(lambda: _quadratic(lambda d: _count(layer.init(d, _rng(), dtype)), in_features))


def of_recurrence(cell: Any, in_features: int, hidden: int, dtype: DType) -> int:
    """Numbers in the parameters of a cell and what rnnkit adds; 0 if small ones do not tell."""

    def at(d: int) -> int:
        return _quadratic(
            lambda h: _count(recurrent_layer(cell, d, h, _rng(), dtype).params), hidden
        )

    def linear() -> int:
        one, two = at(1), at(2)
        return one + (in_features - 1) * (two - one)

    return _known(linear)


def _known(count: Callable[[], int]) -> int:
    try:
        return count()
    except (
        Exception
    ):  # a plugin that takes no such widths; what is wrong with it is said when it is made
        return 0


def _quadratic(count: Callable[[int], int], to: int) -> int:
    """The polynomial of degree 2 that has these values at 1, 2 and 3."""
    one, two, three = count(1), count(2), count(3)
    steps = to - 1
    return one + steps * (two - one) + steps * (steps - 1) // 2 * (three - 2 * two + one)


def _count(params: Any) -> int:
    return sum(array.size for _, array in named_arrays(params))


def _rng() -> Rng:
    return np.random.default_rng(0)
