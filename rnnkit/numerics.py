"""Stable elementwise functions that more than one plugin needs; analytic, so complex steps pass through."""

from __future__ import annotations

import numpy as np

from rnnkit.kinds.arrays import Array


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), elementwise; exactly 0 where exp(-x) overflows, without a warning."""
    with np.errstate(over="ignore"):
        y = np.negative(x)
        np.exp(y, out=y)
        y += 1.0
        return np.reciprocal(y, out=y)


def log_softmax(scores: Array) -> Array:
    """x - log(sum(exp(x))) over the last axis; finite for any finite scores."""
    shift = np.max(scores.real, axis=-1, keepdims=True)
    z: Array = scores - shift
    z -= np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return z
