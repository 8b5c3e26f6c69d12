"""Gradients that are products with one array, as dz W^T and x^T dz are: is it the array that is wrong, or the other factor?

The array shows in a bias: what comes to it from each row of the batch is a row of that array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.judge import Judge
from rnnkit.testing.patterns import Gap
from rnnkit.testing.slopes import Slopes
from rnnkit.testing.views import View

Product: TypeAlias = Callable[[Array, Array], Array]


def told(
    judge: Judge, name: str, slopes: Mapping[str, Slopes], whole: View, enough: int
) -> Iterator[str]:
    """What may be wrong with the product that the gradient of a leaf is; nothing if it is none.

    Args:
        enough: numbers other than 0 that the gradient must have.
    """
    seen, right = whole.gradients[name], slopes[name].along(whole.cotangents)

    if np.count_nonzero(right) < enough:
        return

    def same(a: Array, b: Array) -> bool:
        return not Gap(a, b, judge.tolerance).wrong

    for bias, given, wanted in _biases(judge, name, slopes, whole):
        for belongs, other in judge.example.leaves.items():
            for product in PRODUCTS:
                if same(right, product(wanted, other)):
                    if same(seen, product(given, other)):
                        yield f"it follows from what is wrong in {bias}, and is right once that is"
                    for stands, factor in whole.factors.items():
                        if same(seen, product(given, factor)):
                            yield f"{stands} stands where {belongs} belongs"
                    if same(seen, product(given, other.T)):
                        yield (
                            f"{belongs} is transposed where it must not be, or the other way round"
                        )
                    for missing, factor in whole.factors.items():
                        if factor.shape == given.shape and np.all(factor):
                            if same(seen, product(given / factor, other)):
                                yield f"in what {belongs} is multiplied by, a factor {missing} is missing"
                            if same(seen, product(given * factor, other)):
                                yield f"in what {belongs} is multiplied by, there is a factor {missing} too many"


def _biases(
    judge: Judge, name: str, slopes: Mapping[str, Slopes], whole: View
) -> Iterator[tuple[str, Array, Array]]:
    """Each bias, with the array behind it: what backward has, and what it must have."""
    for bias, leaf in judge.example.leaves.items():
        if leaf.ndim == 1 and bias != name and whole.rows:
            given = np.stack([row.gradients[bias] for row in whole.rows])
            if bias in slopes:
                yield (
                    bias,
                    given,
                    np.stack([slopes[bias].along(row.cotangents) for row in whole.rows]),
                )
            else:
                yield bias, given, given


def _times_transpose(a: Array, b: Array) -> Array:
    """a b^T, or nothing where that does not exist."""
    return a @ b.T if b.ndim == 2 and b.shape[1] == a.shape[1] else np.zeros(0)


def _transpose_times(a: Array, b: Array) -> Array:
    """b^T a, or nothing where that does not exist."""
    return b.T @ a if b.ndim == 2 and len(b) == len(a) else np.zeros(0)


PRODUCTS: Final[tuple[Product, ...]] = (_times_transpose, _transpose_times)
