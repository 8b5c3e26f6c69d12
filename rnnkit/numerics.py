"""Functions that several plugins share: stable, fast, and analytic, so that complex steps pass through."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds.arrays import Array, DType, Ints
from rnnkit.system.blas import LEAST, Product, in_pieces, on_one_thread
from rnnkit.system.pages import mostly_zeros
from rnnkit.system.process import bounds, threads

__all__ = [
    "Normalized",
    "add_product",
    "blocks",
    "clip_by_norm",
    "clip_factor",
    "drawn_by",
    "log_softmax",
    "normalize",
    "normalize_back",
    "penalized",
    "product",
    "sigmoid",
    "sum_of_squares",
    "sum_rows",
    "times",
]


PIECE: Final = 1 << 22
"""Multiplications that a piece of a product must have at least: handing it to another thread takes time, too."""

COPYING: Final = 10
"""Multiplications that take as long as BLAS needs to copy a number of a matrix before it multiplies: with few rows, that
is most of its work.
"""

_EDGE: Final = 64
"""Rows or columns that BLAS takes at once: a piece has a multiple of them, the last one and what is left."""


def product(a: Array, b: Array) -> Array:
    """a @ b, in pieces on as many threads as are free: (M, K) and (K, N) -> (M, N).

    It is cut along the longer side of the result. How follows from its shape and from the process, so that no bit
    depends on how many threads there are. A small one takes one thread. What is no pair of matrices, and a row times
    a matrix, is multiplied as NumPy does that.
    """
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.ndim == b.ndim == 2):
        return a @ b
    if len(a) == 1 or (mine := threads()).cuts < 2:
        return a @ b
    way = _way_of_large(a, b, mine.cuts)
    return on_one_thread(a, b) if way is None else way(a, b, mine.free())


def add_product(a: Array, b: Array, onto: Array) -> None:
    """onto += a @ b for matrices, as `product` has it; a large one without an array of its own."""
    mine, fits = threads(), onto.flags.c_contiguous and onto.dtype == a.dtype
    way = _way_of_large(a, b, mine.cuts) if fits and len(a) > 1 else None
    if way is None:
        onto += product(a, b)
    else:
        way(a, b, mine.free(), onto)


def _way_of_large(a: Array, b: Array, most: int) -> Product | None:
    """How matrices are multiplied in pieces, so many at most; None if they are small, or cannot be."""
    count = (len(a) * b.size + COPYING * (a.size + b.size)) // PIECE
    if count < 2:
        return None
    return _way(a.dtype, a.shape, a.strides, b.dtype, b.shape, b.strides, min(most, count))


@lru_cache(maxsize=1024)
def _way(
    a_type: DType,
    a_shape: tuple[int, ...],
    a_strides: tuple[int, ...],
    b_type: DType,
    b_shape: tuple[int, ...],
    b_strides: tuple[int, ...],
    most: int,
) -> Product | None:
    """How such arrays are multiplied in pieces, so many at most; None if they cannot be."""
    (M, K), N = a_shape, b_shape[1]
    if a_type != b_type or not a_type.isnative or b_shape[0] != K:
        return None
    side = max(M, N)
    ends = [i * _EDGE for i in bounds(side // _EDGE, min(most, M * K * N // LEAST))]
    ends[-1] = side
    return in_pieces(a_type.char, a_shape, a_strides, b_shape, b_strides, ends)


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
    shift = scores.real.max(axis=-1, keepdims=True)
    z: Array = np.subtract(scores, shift, out=out)
    z -= np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return z


def drawn_by(weights: Array, numbers: Array) -> tuple[Ints, Array]:
    """Draw a column of each row, with a probability in proportion to its weight.

    Args:
        weights: (n, V), at least 0, not normalized; of a row without any, the column is 0.
        numbers: (n,), uniform in [0, 1): what each row is drawn by.

    Returns:
        (columns, sums): (n,), and the sum of each row's weights (n,), float64.
    """
    below = np.cumsum(weights, axis=1, dtype=np.float64)
    sums = below[:, -1]
    # The first sum above the mark has a weight of its own: what has none is never drawn.
    columns: Ints = np.argmax(below > (numbers * sums)[:, None], axis=1)
    return columns, sums


def sum_rows(rows: Array, index: Ints, count: int) -> Array:
    """y[i] = sum of the rows whose index is i, the transpose of y[index]; 0 where there is none.

    Sorting the indices and summing the rows of each is about ten times as fast as `np.add.reduceat`, or as a
    product with a one-hot matrix.

    Args:
        rows: (M, D).
        index: (M,) in [0, count).
        count: number of rows of the result.
    """
    out = mostly_zeros((count, rows.shape[1]), rows.dtype)
    order = np.argsort(index, kind="stable")
    ranked = index[order]
    begins = np.flatnonzero(np.diff(ranked, prepend=-1))
    ends = np.append(begins[1:], len(ranked))
    single = ends - begins == 1
    out[ranked[begins[single]]] = rows[order[begins[single]]]
    for begin, end in zip(begins[~single].tolist(), ends[~single].tolist(), strict=True):
        np.add.reduce(rows[order[begin:end]], axis=0, out=out[ranked[begin]])
    return out


@attrs.frozen
class Normalized:
    """What `normalize` gives, which is all that it takes to go back.

    Attributes:
        z: (..., D), the normalized x.
        scale: (N, 1), 1 / sqrt(var + eps).
    """

    z: Array
    scale: Array


def normalize(x: Array, eps: float) -> Normalized:
    """z = (x - mean) / sqrt(var + eps) over the last axis of x (..., D); var is the biased one.

    Ba, Kiros & Hinton, "Layer normalization" (2016), equation 4, without gain and bias.
    """
    z = x - x.mean(axis=-1, keepdims=True)
    scale = np.reciprocal(np.sqrt((z * z).mean(axis=-1, keepdims=True) + eps))
    z *= scale
    return Normalized(z, scale)


def normalize_back(dz: Array, normalized: Normalized) -> Array:
    """dx (..., D) from the gradient dz of z."""
    z = normalized.z
    dx: Array = dz - dz.mean(axis=-1, keepdims=True) - z * (dz * z).mean(axis=-1, keepdims=True)
    dx *= normalized.scale
    return dx


def clip_by_norm(gradients: Mapping[str, Array], limit: float) -> tuple[dict[str, Array], float]:
    """g min(1, limit / norm) for every gradient g, where norm = sqrt(sum of squares of all of them together).

    `[train] clip` does this. PyTorch's `clip_grad_norm_` divides by norm + 1e-6 instead, which leaves
    a clipped gradient a little below the limit.

    Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks" (2013), algorithm 1.

    Args:
        gradients: name -> gradient, of any shapes; they stay as they are.
        limit: the largest norm that they may have together, above 0.

    Returns:
        The clipped gradients, which are the ones given if the norm is within the limit; and the norm before.
    """
    norm = math.sqrt(sum_of_squares(gradients.values()))
    factor = clip_factor(norm, limit)
    return {name: times(g, factor) for name, g in gradients.items()}, norm


def clip_factor(norm: float, limit: float) -> float:
    """min(1, limit / norm): what brings a gradient of this norm to at most the limit."""
    return min(1.0, limit / norm) if norm else 1.0


def sum_of_squares(arrays: Iterable[Array]) -> float:
    """The sum of squares of all elements of all arrays, each array's summed in its own precision."""
    return sum(float(np.vdot(a, a)) for a in arrays)


def penalized(dw: Array, w: Array, weight_decay: float) -> Array:
    """dw + weight_decay w: the gradient with that of the penalty weight_decay w^2 / 2; dw itself without one."""
    return dw + weight_decay * w if weight_decay else dw


def times(a: Array, factor: float) -> Array:
    """a times a number, in a's precision; a itself if the number is 1."""
    return a if factor == 1.0 else a * a.dtype.type(factor)
