"""NumPy's functions as stand-ins know them, made of the operations of a graph."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from rnnkit.tracing.standin import StandIn, Transposed


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


# Arrays like another.


def full_like(x: StandIn, value: Any, dtype: Any = None, **_: Any) -> Any:
    """An array of one value, shaped like x; `shape` may say otherwise."""
    shape = _.get("shape")
    wanted = x.shape if shape is None else shape
    shape = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    kind = np.dtype(x.dtype if dtype is None else dtype)
    return x.recorder.emit("full", [value], shape=shape, dtype=kind)


# Sums and the like.


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


def axes_of(x: StandIn, axis: Any) -> Any:
    """The axes meant, from the end where x may have more axes in front of them."""
    if axis is None:
        return tuple(range(x.ndim))
    if isinstance(axis, tuple | list):
        return tuple(operator.index(a) % x.ndim for a in axis)
    return operator.index(axis) % x.ndim


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


# Choosing.


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


# Products.


def dot(a: Any, b: Any, out: Any = None) -> Any:
    """np.dot."""
    if not np.ndim(a) or not np.ndim(b):
        return np.multiply(a, b)
    if np.ndim(b) <= 2:
        return np.matmul(a, b)
    return tensordot(a, b, ((-1,), (-2,)))


def inner(a: Any, b: Any) -> Any:
    """Sums of products over the last axes."""
    return tensordot(a, b, ((-1,), (-1,)))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """One matrix product, as NumPy makes it one."""
    beside = first(a, b)
    a, b = standing(a, beside), standing(b, beside)
    if isinstance(axes, int):
        axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    left, right = ([x] if isinstance(x, int) else list(x) for x in axes)
    left, right = [i % a.ndim for i in left], [i % b.ndim for i in right]
    rows = [i for i in range(a.ndim) if i not in left]
    columns = [i for i in range(b.ndim) if i not in right]
    inside = math.prod(a.shape[i] for i in left)
    flat_a = a.transpose(*rows, *left).reshape(-1, inside)
    flat_b = b.transpose(*right, *columns).reshape(inside, -1)
    shape = [a.shape[i] for i in rows] + [b.shape[i] for i in columns]
    return np.matmul(flat_a, flat_b).reshape(shape)


def einsum(subscripts: Any, *operands: Any, **_: Any) -> Any:
    """np.einsum with its letters in a string."""
    if not isinstance(subscripts, str):
        raise first(subscripts, *operands).recorder.refused(
            "it uses np.einsum without a string of letters: write np.einsum('nij,jk->nik', x, W)"
        )
    return emit("einsum", operands, subscripts=subscripts.replace(" ", ""))


def outer(a: Any, b: Any, out: Any = None) -> Any:
    """a[:, None] * b."""
    return np.multiply(np.ravel(a)[:, None], np.ravel(b))


# Shapes.


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


def repeat(x: StandIn, repeats: int, axis: Any = None) -> Any:
    """Each element, or row, several times."""
    if axis is None:
        return repeat(x.reshape(-1), repeats, 0)
    return take(x, np.repeat(np.arange(x.shape[axis]), repeats), axis)


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


FUNCTIONS: Final[dict[Any, Callable[..., Any]]] = {
    np.zeros_like: lambda x, dtype=None, **k: full_like(x, 0.0, dtype, **k),
    np.empty_like: lambda x, dtype=None, **k: full_like(x, 0.0, dtype, **k),
    np.ones_like: lambda x, dtype=None, **k: full_like(x, 1.0, dtype, **k),
    np.full_like: lambda x, fill_value, dtype=None, **k: full_like(x, fill_value, dtype, **k),
    np.copy: lambda x, **_: x.copy(),
    np.sum: reduction("sum"),
    np.mean: reduction("mean"),
    np.prod: reduction("prod"),
    np.max: reduction("amax"),
    np.min: reduction("amin"),
    np.any: reduction("any"),
    np.all: reduction("all"),
    np.argmax: arg("argmax"),
    np.argmin: arg("argmin"),
    np.argsort: lambda x, axis=-1, kind=None, **_: emit("argsort", [x], axis=axis, kind=kind),
    np.var: var,
    np.std: std,
    np.cumsum: cumsum,
    np.linalg.norm: norm,
    np.where: where,
    np.clip: clip,
    np.nan_to_num: nan_to_num,
    np.take: take,
    np.take_along_axis: take_along_axis,
    np.flatnonzero: lambda x: emit("flatnonzero", [x]),
    np.dot: dot,
    np.inner: inner,
    np.vdot: lambda a, b: (np.ravel(a) * np.ravel(b)).sum(),
    np.outer: outer,
    np.tensordot: tensordot,
    np.einsum: einsum,
    np.reshape: lambda x, shape, **_: x.reshape(shape),
    np.ravel: lambda x, **_: x.reshape(-1),
    np.transpose: lambda x, axes=None: x.transpose(*(axes or ())),
    np.permute_dims: lambda x, axes=None: x.transpose(*(axes or ())),
    np.swapaxes: swapaxes,
    np.moveaxis: moveaxis,
    np.expand_dims: expand_dims,
    np.squeeze: squeeze,
    np.broadcast_to: broadcast_to,
    np.broadcast_arrays: broadcast_arrays,
    np.concatenate: concatenate,
    np.stack: stack,
    np.hstack: hstack,
    np.vstack: vstack,
    np.column_stack: column_stack,
    np.split: split,
    np.array_split: split,
    np.hsplit: lambda x, n: split(x, n, 1 if x.ndim > 1 else 0),
    np.vsplit: lambda x, n: split(x, n, 0),
    np.flip: flip,
    np.roll: roll,
    np.repeat: repeat,
    np.tile: tile,
    np.tril: triangle(np.tril),
    np.triu: triangle(np.triu),
    np.real: lambda x: x.real,
    np.iscomplexobj: lambda x: False,
    np.isrealobj: lambda x: True,
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x, axis=None: x.size if axis is None else x.shape[axis],
    np.result_type: lambda *a: np.result_type(
        *(x.dtype if isinstance(x, StandIn) else x for x in a)
    ),
    np.may_share_memory: lambda a, b, **_: a is b,
}
"""Function -> what stand-ins do for it."""
