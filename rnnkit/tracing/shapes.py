"""Stand-ins in other shapes: joined, split, turned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rnnkit.tracing.standin import StandIn
from rnnkit.tracing.standins import axes_of, emit, first, standing
from rnnkit.tracing.views import Transposed


def broadcast_to(x: StandIn, shape: Any, **_: Any) -> Any:
    """x repeated along new axes."""
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    return emit("broadcast_to", [x], shape=wanted)


def broadcast_arrays(*arrays: Any, **_: Any) -> Any:
    """Each in the shape of all."""
    shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
    return tuple(broadcast_to(standing(a, first(*arrays)), shape) for a in arrays)


def swapaxes(x: StandIn, axis1: int, axis2: int) -> Any:
    """Two axes in each other's place."""
    axes = list(range(x.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return x.viewed(Transposed(tuple(axes)))


def moveaxis(x: StandIn, source: int, destination: int) -> Any:
    """One axis elsewhere."""
    axes = [i for i in range(x.ndim) if i != source % x.ndim]
    axes.insert(destination % x.ndim, source % x.ndim)
    return x.viewed(Transposed(tuple(axes)))


def expand_dims(x: StandIn, axis: Any) -> Any:
    """New axes of length 1."""
    given = (axis,) if isinstance(axis, int) else tuple(axis)
    ndim = x.ndim + len(given)
    new = {a % ndim for a in given}
    return x[tuple(None if i in new else slice(None) for i in range(ndim))]


def squeeze(x: StandIn, axis: Any = None) -> Any:
    """Without axes of length 1."""
    given = (axis,) if isinstance(axis, int) else axis
    if given is None:
        given = tuple(i for i, n in enumerate(x.shape) if n == 1)
    gone = {a % x.ndim for a in given}
    return x[tuple(0 if i in gone else slice(None) for i in range(x.ndim))]


def concatenate(arrays: Sequence[Any], axis: Any = 0, **_: Any) -> Any:
    """Arrays one after the other."""
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    return emit("concatenate", list(arrays), axis=axis % np.ndim(arrays[0]))


def stack(arrays: Sequence[Any], axis: int = 0, **_: Any) -> Any:
    """Arrays along a new axis."""
    beside = first(*arrays)
    return concatenate([expand_dims(standing(a, beside), axis) for a in arrays], axis)


def hstack(arrays: Sequence[Any], **_: Any) -> Any:
    """Side by side."""
    return concatenate(arrays, 0 if np.ndim(arrays[0]) == 1 else 1)


def vstack(arrays: Sequence[Any], **_: Any) -> Any:
    """One above the other."""
    beside = first(*arrays)
    rows = [standing(a, beside) for a in arrays]
    return concatenate([r[None, :] if r.ndim == 1 else r for r in rows], 0)


def column_stack(arrays: Sequence[Any]) -> Any:
    """Side by side, vectors as columns."""
    beside = first(*arrays)
    columns = [standing(a, beside) for a in arrays]
    return concatenate([c[:, None] if c.ndim == 1 else c for c in columns], 1)


def split(x: StandIn, indices_or_sections: Any, axis: int = 0) -> Any:
    """Views of parts."""
    n = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if n % indices_or_sections:
            raise ValueError("array split does not result in an equal division")
        width = n // indices_or_sections
        ends = [width * i for i in range(1, indices_or_sections)]
    else:
        ends = list(indices_or_sections)
    lead = (slice(None),) * (axis % x.ndim)
    return [x[(*lead, slice(a, b))] for a, b in zip([0, *ends], [*ends, n], strict=True)]


def flip(x: StandIn, axis: Any = None) -> Any:
    """Backwards."""
    axes = axes_of(x, axis)
    turned = axes if isinstance(axes, tuple) else (axes,)
    return x[tuple(slice(None, None, -1) if i in turned else slice(None) for i in range(x.ndim))]


def roll(x: StandIn, shift: int, axis: Any = None) -> Any:
    """Turned around."""
    if axis is None:
        return roll(x.reshape(-1), shift, 0).reshape(x.shape)
    n, lead = x.shape[axis], (slice(None),) * (axis % x.ndim)
    k = shift % n
    return concatenate([x[(*lead, slice(n - k, n))], x[(*lead, slice(0, n - k))]], axis)


def tile(x: StandIn, reps: Any) -> Any:
    """Copies side by side."""
    wanted = (reps,) if isinstance(reps, int) else tuple(reps)
    x = x.reshape((1,) * (len(wanted) - x.ndim) + x.shape)
    for axis, count in enumerate((1,) * (x.ndim - len(wanted)) + wanted):
        x = concatenate([x] * count, axis)
    return x


def triangle(keep: Callable[..., Any]) -> Callable[..., Any]:
    """np.tril and np.triu."""
    return lambda x, k=0: np.where(keep(np.ones(x.shape[-2:], bool), k), x, 0.0)
