"""From times to coefficients: least squares of relative errors, no coefficient below zero."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from rnnkit.kinds.arrays import Array


def coefficients(terms: Sequence[Sequence[float]], times: Sequence[float]) -> list[float]:
    """c >= 0 that make the sum over i of (sum_j terms[i][j] c[j] / times[i] - 1)^2 least.

    A small time counts as much as a large one. The best c has some of its entries at zero and is the plain solution
    for the others, so all choices of those are tried.

    Args:
        terms: (n, k), k small.
        times: (n,), above zero.
    """
    a = np.asarray(terms, np.float64) / np.asarray(times, np.float64)[:, None]
    k = a.shape[1]
    best, least = np.zeros(k), float(len(a))
    for count in range(1, k + 1):
        for chosen in map(list, itertools.combinations(range(k), count)):
            c = np.zeros(k)
            c[chosen] = np.linalg.lstsq(a[:, chosen], np.ones(len(a)), rcond=None)[0]
            error = float(((a @ c - 1.0) ** 2).sum())
            if c.min() >= 0.0 and error < least:
                best, least = c, error
    found: list[float] = best.tolist()
    return found


def errors(
    terms: Sequence[Sequence[float]], times: Sequence[float], found: Sequence[float]
) -> list[float]:
    """Fitted / measured - 1, for each time."""
    fitted: Array = np.asarray(terms, np.float64) @ np.asarray(found)
    relative: list[float] = (fitted / np.asarray(times) - 1.0).tolist()
    return relative
