"""The machine: its cores, what other programs take of them, and its memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Final

from rnnkit.describing.doctor.finding import Finding
from rnnkit.system.beside import free_threads
from rnnkit.system.blas import can_cut
from rnnkit.system.cores import cores, quota
from rnnkit.system.machine import processor, taken
from rnnkit.system.memory import memory, size
from rnnkit.system.process import THREAD_LIMITS, allowed_threads, limits

BUSY: Final = 0.25
"""Cores that others may keep busy, before it is told."""

BESIDE: Final = "what is timed now is slower than it could be"

OLD_BLAS: Final = (
    "NumPy's BLAS cannot compute products in pieces, so that its threads wait for each other beside other programs: "
    "set OMP_NUM_THREADS=1, or install a newer NumPy"
)


def look() -> Iterator[Finding]:
    """Processor, cores and threads, load, memory."""
    yield Finding("processor", processor())
    yield Finding("cores", _cores(), _limit_advice())
    others = taken()
    if others is not None:
        mine = len(cores())
        yield Finding(
            "load",
            f"other programs keep {others:.1f} of {mine} cores busy{_beside(others)}",
            None if others < BUSY else BESIDE if can_cut() else f"{BESIDE}; {OLD_BLAS}",
        )
    yield Finding("memory", f"{size(memory())} for this process")


def _cores() -> str:
    in_all, mine, paid = os.cpu_count() or 1, len(cores()), quota()
    parts = [f"{mine} of {in_all}" if mine < in_all else f"{mine}"]
    if math.isfinite(paid):
        parts.append(f"a container's quota of {paid:g}")
    parts += [f"{name}={os.environ[name]}" for name in THREAD_LIMITS if os.environ.get(name)]
    threads = allowed_threads()
    return f"{', '.join(parts)}: {threads} {'thread' if threads == 1 else 'threads'}"


def _beside(others: float) -> str:
    """How many threads rnnkit would take now, and why not more."""
    allowed = allowed_threads()
    free = allowed if limits() else free_threads(allowed, others)
    if free == allowed:
        return ""
    return f", so that {free} of {allowed} threads would work; it is looked at again every second"


def _limit_advice() -> str | None:
    limits = [name for name in THREAD_LIMITS if os.environ.get(name)]
    if not limits or allowed_threads() >= len(cores()):
        return None
    return f"{' and '.join(limits)} {'leaves' if len(limits) == 1 else 'leave'} cores idle that training could use"
