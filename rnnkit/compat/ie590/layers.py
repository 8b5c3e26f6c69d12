"""Layers of feed-forward networks, as the assignments before this one have them."""

from __future__ import annotations

import numpy as np

from rnnkit.kinds import Array, Ints
from rnnkit_builtin.activations.relu import Relu
from rnnkit_builtin.layers.affine import Affine, AffineParams
from rnnkit_builtin.losses.softmax_cross_entropy import SoftmaxCrossEntropy

__all__ = [
    "affine_backward",
    "affine_forward",
    "affine_relu_backward",
    "affine_relu_forward",
    "relu_backward",
    "relu_forward",
    "softmax_loss",
]

AffineCache = tuple[Array, Array, Array]


def affine_forward(x: Array, w: Array, b: Array) -> tuple[Array, AffineCache]:
    """x w + b: x (N, d_1, .., d_k) with d_1 .. d_k = D, w (D, M), b (M,), (N, M)."""
    out, _ = Affine().forward(AffineParams(w, b), x.reshape(len(x), -1), None)
    return out, (x, w, b)


def affine_backward(dout: Array, cache: AffineCache) -> tuple[Array, Array, Array]:
    """(dx, dw, db) from dout (N, M)."""
    x, w, b = cache
    dx, dp = Affine().backward(AffineParams(w, b), dout, x.reshape(len(x), -1))
    return dx.reshape(x.shape), dp.W, dp.b


def relu_forward(x: Array) -> tuple[Array, Array]:
    """max(x, 0)."""
    out, _ = Relu().forward(x)
    return out, x


def relu_backward(dout: Array, cache: Array) -> Array:
    """dx."""
    return Relu().backward(dout, Relu().forward(cache)[1])


def affine_relu_forward(x: Array, w: Array, b: Array) -> tuple[Array, tuple[AffineCache, Array]]:
    """max(x w + b, 0)."""
    a, affine_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(a)
    return out, (affine_cache, relu_cache)


def affine_relu_backward(
    dout: Array, cache: tuple[AffineCache, Array]
) -> tuple[Array, Array, Array]:
    """(dx, dw, db)."""
    affine_cache, relu_cache = cache
    return affine_backward(relu_backward(dout, relu_cache), affine_cache)


def softmax_loss(x: Array, y: Ints) -> tuple[float, Array]:
    """(loss, dx): the mean cross-entropy of scores x (N, C) and targets y (N,)."""
    loss, dx = SoftmaxCrossEntropy().evaluate(x, y, np.ones(len(x), np.bool_))
    return float(loss) / len(x), dx / len(x)
