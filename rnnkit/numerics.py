"""What more than one plugin computes: stable and analytic, so that complex steps pass through; or fast."""

from __future__ import annotations

import numpy as np

from rnnkit.kinds.arrays import Array, Ints


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), elementwise; exactly 0 where exp(-x) overflows, without a warning."""
    with np.errstate(over="ignore"):
        y = np.negative(x)
        np.exp(y, out=y)
        y += 1.0
        return np.reciprocal(y, out=y)


def blocks(z: Array, count: int) -> list[Array]:
    """Views of `count` column blocks of z (.., count H), each (.., H); `np.split` takes five times as long."""
    H = z.shape[-1] // count
    return [z[..., k * H : (k + 1) * H] for k in range(count)]


def log_softmax(scores: Array, out: Array | None = None) -> Array:
    """x - log(sum(exp(x))) over the last axis, in `out` if given; finite for any finite scores."""
    shift = np.max(scores.real, axis=-1, keepdims=True)
    z: Array = np.subtract(scores, shift, out=out)
    z -= np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return z


def sum_rows(rows: Array, index: Ints, count: int) -> Array:
    """y[i] = sum of the rows whose index is i, the transpose of y[index]; 0 where there is none.

    Sorting the indices and summing the rows of each is about ten times as fast as `np.add.reduceat`, or as a
    product with a one-hot matrix.

    Args:
        rows: (M, D).
        index: (M,) in [0, count).
        count: number of rows of the result.
    """
    out = np.zeros((count, rows.shape[1]), rows.dtype)
    order = np.argsort(index, kind="stable")
    ranked = index[order]
    begins = np.flatnonzero(np.diff(ranked, prepend=-1))
    ends = np.append(begins[1:], len(ranked))
    single = ends - begins == 1
    out[ranked[begins[single]]] = rows[order[begins[single]]]
    for begin, end in zip(begins[~single].tolist(), ends[~single].tolist(), strict=True):
        np.add.reduce(rows[order[begin:end]], axis=0, out=out[ranked[begin]])
    return out
