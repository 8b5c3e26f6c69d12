"""Numbers as people read them."""

from __future__ import annotations

import math


def count(n: float) -> str:
    """12,345."""
    return f"{n:,.0f}"


def short(n: float) -> str:
    """A count in three digits: 4.12 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if n >= size:
            return f"{n / (1e3 if unit == 'k' else size):.3g} {unit}"
    return count(n)


def figure(x: float, digits: int = 3) -> str:
    """A measured number in so many digits: 17.9, 0.162, 2.1e-5."""
    if not math.isfinite(x):
        return "∞" if x > 0 else "-∞" if x < 0 else "?"
    if x == 0 or 1e-3 <= abs(x) < 1e6:
        whole = len(str(int(abs(x))))
        return f"{x:,.{max(0, digits - whole if abs(x) >= 1 else digits)}f}"
    mantissa, _, exponent = f"{x:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def tick(x: float) -> str:
    """A round number, in as many digits as it takes: 0.0015, 2.5, 10,000, 1e-5."""
    if x and abs(x) < 1e-3:
        mantissa, _, exponent = f"{x:.3g}".partition("e")
        return f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return f"{x:,.6g}" if abs(x) < 1e6 else short(x)


def rate(x: float) -> str:
    """A number of times in a thousand: 0, 0.4, 3.1, 53."""
    return f"{x:.{1 if 0 < x < 10 else 0}f}"


def percent(share: float) -> str:
    """A share of one in percent: 12 %, 0.31 %, under 0.01 %."""
    if 0 < share < 1e-4:
        return "under 0.01 %"
    return f"{100 * share:.{0 if share >= 0.1 else 2 if share < 0.01 else 1}f} %"


def duration(seconds: float) -> str:
    """8.4 s, 6.2 min, 3.1 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"
