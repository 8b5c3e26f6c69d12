"""Numerical gradients by central differences. (rnnkit's own harness is `rnnkit gradcheck`.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from rnnkit.kinds import Array

T = TypeVar("T")

__all__ = ["eval_numerical_gradient", "eval_numerical_gradient_array"]


def eval_numerical_gradient(
    f: Callable[[Array], float], x: Array, verbose: bool = True, h: float = 1e-5
) -> Array:
    """The gradient of f, a number, at x, which is changed in place and restored; `verbose` prints each entry.

    f is called at x once, which has no use but is what the original does: random numbers that f draws are the same.
    """
    f(x)
    gradient = np.zeros_like(x)
    for at in _places(x):
        after, before = _beside(f, x, at, h)
        gradient[at] = (after - before) / (2 * h)
        if verbose:
            print(at, gradient[at])
    return gradient


def eval_numerical_gradient_array(
    f: Callable[[Array], Array], x: Array, df: Array | float, h: float = 1e-5
) -> Array:
    """The gradient of sum(f(x) df) at x, which is changed in place and restored; f returns an array."""
    gradient = np.zeros_like(x)
    for at in _places(x):
        after, before = _beside(lambda v: np.array(f(v)), x, at, h)
        gradient[at] = np.sum((after - before) * df) / (2 * h)
    return gradient


def _places(x: Array) -> Iterator[tuple[int, ...]]:
    """The index of every entry, in the order in which they are in memory."""
    entries = np.nditer(x, ["multi_index", "zerosize_ok"])
    while not entries.finished:
        yield entries.multi_index
        entries.iternext()


def _beside(f: Callable[[Array], T], x: Array, at: tuple[int, ...], h: float) -> tuple[T, T]:
    """f at x with one entry h more, and h less."""
    value = x[at]
    try:
        x[at] = value + h
        after = f(x)
        x[at] = value - h
        before = f(x)
    finally:
        x[at] = value
    return after, before
