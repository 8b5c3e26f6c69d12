"""Sums, means and the like of stand-ins."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rnnkit.tracing.standin import StandIn
from rnnkit.tracing.standins import axes_of, emit, first, standing


def reduction(op: str) -> Callable[..., Any]:
    """A function that folds some axes of x."""

    def reduce(x: Any, axis: Any = None, *args: Any, keepdims: Any = False, **kwargs: Any) -> Any:
        if args or any(v is not None and v is not np._NoValue for v in kwargs.values()):
            raise first(x, *kwargs.values()).recorder.refused(
                f"it gives np.{op} more than an axis and keepdims, which rnnkit does not trace"
            )
        x = standing(x, first(x))
        kept = keepdims is True
        return emit(op, [x], axis=axes_of(x, axis), keepdims=kept)

    return reduce


def arg(op: str) -> Callable[..., Any]:
    """argmax and argmin."""

    def of(x: StandIn, axis: Any = None, **_: Any) -> Any:
        flat = x.reshape(-1) if axis is None else x
        return emit(op, [flat], axis=axes_of(flat, -1 if axis is None else axis))

    return of


def var(x: StandIn, axis: Any = None, ddof: int = 0, keepdims: bool = False, **_: Any) -> Any:
    """The mean of squared differences from the mean."""
    away = x - x.mean(axis=axis, keepdims=True)
    total = (away * away).sum(axis=axis, keepdims=bool(keepdims))
    axes = axes_of(x, axis)
    count = math.prod(x.shape[a] for a in (axes if isinstance(axes, tuple) else (axes,)))
    return total / (count - ddof)


def std(x: StandIn, *args: Any, **kwargs: Any) -> Any:
    """The root of the variance."""
    return np.sqrt(var(x, *args, **kwargs))


def cumsum(x: StandIn, axis: Any = None, **_: Any) -> Any:
    """Sums from the start."""
    flat = x.reshape(-1) if axis is None else x
    return emit("cumsum", [flat], axis=axes_of(flat, -1 if axis is None else axis))


def norm(x: StandIn, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The Euclidean norm."""
    if ord not in (None, 2) or (ord == 2 and x.ndim > 1 and axis is None):
        raise x.recorder.refused("it uses a norm other than the Euclidean one: write it with sums")
    return np.sqrt((x * x).sum(axis=axis, keepdims=keepdims))
