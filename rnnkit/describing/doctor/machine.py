"""The machine: its cores, what other programs take of them, and its memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Final

from rnnkit.describing.doctor.finding import Finding
from rnnkit.system.cores import cores, quota
from rnnkit.system.machine import processor, taken
from rnnkit.system.memory import memory, size
from rnnkit.system.process import THREAD_LIMITS, allowed_threads

BUSY: Final = 0.25
"""Cores that others may keep busy, before it is told."""


def look() -> Iterator[Finding]:
    """Processor, cores and threads, load, memory."""
    yield Finding("processor", processor())
    yield Finding("cores", _cores(), _limit_advice())
    others = taken()
    if others is not None:
        mine = len(cores())
        yield Finding(
            "load",
            f"other programs keep {others:.1f} of {mine} cores busy",
            None
            if others < BUSY
            else "what is timed now is slower than it could be; beside other programs, try OMP_NUM_THREADS=1",
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


def _limit_advice() -> str | None:
    limits = [name for name in THREAD_LIMITS if os.environ.get(name)]
    if not limits or allowed_threads() >= len(cores()):
        return None
    return f"{' and '.join(limits)} {'leaves' if len(limits) == 1 else 'leave'} cores idle that training could use"
