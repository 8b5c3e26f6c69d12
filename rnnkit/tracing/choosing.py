"""Some of the numbers of stand-ins, chosen by a condition or by their place."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.tracing.standin import StandIn
from rnnkit.tracing.standins import emit, first, standing


def where(condition: Any, *values: Any) -> Any:
    """Elementwise choice."""
    if not values:
        raise first(condition).recorder.refused(
            "it uses np.where with a condition alone: give it two values, or use np.flatnonzero"
        )
    return emit("where", [condition, *values])


def clip(x: Any, a_min: Any = None, a_max: Any = None, **kwargs: Any) -> Any:
    """Within bounds."""
    low, high = kwargs.get("min", a_min), kwargs.get("max", a_max)
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def nan_to_num(x: StandIn, copy: bool = True, nan: float = 0.0, **_: Any) -> Any:
    """Numbers for nan."""
    return np.where(np.isnan(x), nan, x)


def take(x: Any, indices: Any, axis: int | None = None, **_: Any) -> Any:
    """x[.., indices, ..]."""
    x = standing(x, first(x, indices))
    if axis is None:
        return x.reshape(-1)[indices]
    return x[(slice(None),) * (axis % x.ndim) + (indices,)]


def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    """x at the indices along an axis, with all its other places as they are."""
    x = standing(x, first(x, indices))
    grid: list[Any] = [
        np.arange(n).reshape([-1 if i == j else 1 for j in range(x.ndim)])
        for i, n in enumerate(x.shape)
    ]
    grid[axis] = indices
    return x[tuple(grid)]


def repeat(x: StandIn, repeats: int, axis: Any = None) -> Any:
    """Each element, or row, several times."""
    if axis is None:
        return repeat(x.reshape(-1), repeats, 0)
    return take(x, np.repeat(np.arange(x.shape[axis]), repeats), axis)
