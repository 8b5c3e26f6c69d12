"""How many processor cores there are for this process: what it may run on, and what its container may take of them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from rnnkit.system.groups import own_groups


def cores() -> frozenset[int]:
    """The numbers of the cores that this process may run on."""
    if sys.platform == "linux":
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def quota() -> float:
    """How many cores' time the container of this process may take (`cpu.max` of cgroups); infinity if it has no limit."""
    return min(_quotas(), default=float("inf"))


def count() -> int:
    """How many threads can run at a time: as many as there are cores, or as the quota pays for as a whole."""
    return max(1, int(min(len(cores()), quota())))


def _quotas() -> Iterator[float]:
    """Those of the groups that this process is in, and of the groups that these are in."""
    for group in own_groups("cpu"):
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):  # "max" is no number
            limit, period = (group / "cpu.max").read_text().split()
            yield int(limit) / int(period)
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
            limit, period = (
                (group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
            if int(limit) > 0:  # -1 if there is none
                yield int(limit) / int(period)
