"""A cell of either tier -> a recurrent layer."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from rnnkit.kinds import Cell, DType, GatedCell, Initializer, RecurrentCell, Rng
from rnnkit.network.derived import whole
from rnnkit.network.free import FreeRecurrence
from rnnkit.network.gated import GatedRecurrence
from rnnkit.network.recurrence import Recurrence

DOUBLE: Final[DType] = np.dtype(np.float64)


def recurrent_layer(
    cell: RecurrentCell[Any, Any, Any],
    in_features: int,
    hidden: int,
    rng: Rng,
    dtype: DType = DOUBLE,
    *,
    input_weights: Initializer | None = None,
    recurrent_weights: Initializer | None = None,
) -> Recurrence[Any, Any, Any]:
    """A recurrent layer over a cell of either tier, with initial parameters.

    `with_params` of the result puts others in their place.

    Args:
        cell: a `GatedCell` or a `Cell`, or either without its step back: a `GatedStep` or a `FreeStep`.
        in_features: D.
        hidden: H.
        rng: what initial values are drawn from.
        dtype: of the parameters, and so of all arithmetic.
        input_weights: of a gated cell, what fills Wx, gate by gate; None for what a spec that leaves it open gets.
        recurrent_weights: the same for Wh.

    Raises:
        ValueError: the sizes do not fit the cell, or initializers are given for a free-form one, which fills its
            own weights.
    """
    cell = whole(cell)
    if isinstance(cell, GatedCell):
        return GatedRecurrence.init(
            cell, in_features, hidden, input_weights, recurrent_weights, rng, dtype
        )
    if not isinstance(cell, Cell):
        raise TypeError(f"{cell!r} is neither a GatedCell nor a Cell")
    if input_weights is not None or recurrent_weights is not None:
        raise ValueError("a free-form cell fills its own weights: give the initializer to it")
    return FreeRecurrence.init(cell, in_features, hidden, rng, dtype)
