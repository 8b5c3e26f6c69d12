"""From times to what is reported: medians, ratios within a round, exponents."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

BASE: Final = "rnnkit"

Times: TypeAlias = Mapping[str, Sequence[float]]
"""Contender -> seconds in each round."""


def milliseconds(times: Times) -> dict[str, float]:
    """The median of each contender."""
    return {name: 1e3 * statistics.median(rounds) for name, rounds in times.items()}


def ratios(times: Times, base: str = BASE) -> dict[str, float]:
    """Contender / base, the median over rounds; so what slows a whole round slows both.

    Over 1, the base is the faster one.
    """
    return {
        name: statistics.median(t / b for t, b in zip(rounds, times[base], strict=True))
        for name, rounds in times.items()
        if name != base
    }


def spreads(times: Times, base: str = BASE) -> dict[str, tuple[float, float]]:
    """Contender / base, the lowest and the highest of the rounds; of five rounds or more, but for one at each end."""
    found = {}
    for name, rounds in times.items():
        if name != base:
            ordered = sorted(t / b for t, b in zip(rounds, times[base], strict=True))
            kept = ordered[1:-1] if len(ordered) >= 5 else ordered
            found[name] = kept[0], kept[-1]
    return found


def geometric_means(entries: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The geometric mean of each contender's ratios, for those that have one in every entry."""
    rows = list(entries)
    shared = [name for name in rows[0] if all(name in row for row in rows)] if rows else []
    return {name: statistics.geometric_mean(row[name] for row in rows) for name in shared}


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """p of times ~ sizes^p: the slope of the line through the logarithms that fits best."""
    logs = (list(map(math.log, values)) for values in (sizes, times))
    return statistics.linear_regression(*logs).slope
