"""Products of stand-ins."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rnnkit.tracing.standins import emit, first, standing


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
