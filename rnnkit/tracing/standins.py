"""Stand-ins among the arguments of a function."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from rnnkit.tracing.standin import StandIn


def first(*values: Any) -> StandIn:
    """The first stand-in among arguments, lists of them too."""
    for value in values:
        if isinstance(value, StandIn):
            return value
        if isinstance(value, list | tuple) and any(isinstance(v, StandIn) for v in value):
            return first(*value)
    raise TypeError("no array among the arguments is traced")


def standing(x: Any, beside: StandIn) -> StandIn:
    """The stand-in of an array or a number beside another."""
    return x if isinstance(x, StandIn) else StandIn(beside.recorder, beside.recorder.node_of(x))


def emit(op: str, inputs: Sequence[Any], **attributes: Any) -> StandIn:
    """The result of an operation."""
    made: StandIn = first(*inputs).recorder.emit(op, inputs, **attributes)
    return made


def axes_of(x: StandIn, axis: Any) -> Any:
    """The axes meant, from the end where x may have more axes in front of them."""
    if axis is None:
        return tuple(range(x.ndim))
    if isinstance(axis, tuple | list):
        return tuple(operator.index(a) % x.ndim for a in axis)
    return operator.index(axis) % x.ndim
