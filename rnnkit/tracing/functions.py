"""NumPy's functions as stand-ins know them, made of the operations of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from rnnkit.tracing.choosing import clip, nan_to_num, repeat, take, take_along_axis, where
from rnnkit.tracing.folding import arg, cumsum, norm, reduction, std, var
from rnnkit.tracing.products import dot, einsum, inner, outer, tensordot
from rnnkit.tracing.shapes import (
    broadcast_arrays,
    broadcast_to,
    column_stack,
    concatenate,
    expand_dims,
    flip,
    hstack,
    moveaxis,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    triangle,
    vstack,
)
from rnnkit.tracing.standin import StandIn
from rnnkit.tracing.standins import emit


def full_like(x: StandIn, value: Any, dtype: Any = None, **_: Any) -> Any:
    """An array of one value, shaped like x; `shape` may say otherwise."""
    shape = _.get("shape")
    wanted = x.shape if shape is None else shape
    shape = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    kind = np.dtype(x.dtype if dtype is None else dtype)
    return x.recorder.emit("full", [value], shape=shape, dtype=kind)


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
