"""What other programs take of the processor while something is measured."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rnnkit.system.machine import busy_ticks

BUSY: Final = 0.25
"""Cores that others may keep busy on the average; beside more, a time is not to be trusted."""

TICKS: Final = os.sysconf("SC_CLK_TCK")


class Load:
    """Cores that others than this process, and those that it has started, have kept busy since this was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._busy, self._own = busy_ticks() or 0, own_ticks()

    def cores(self) -> float:
        """On the average until now."""
        passed = time.perf_counter() - self._began
        others = (busy_ticks() or 0) - self._busy - (own_ticks() - self._own)
        return max(0.0, others / TICKS / passed)


def own_ticks() -> int:
    """What this process, its children, theirs, and all that have ended of them, have worked."""
    parents = dict(_processes())
    own = {os.getpid()}
    while found := {process for process, (parent, _) in parents.items() if parent in own} - own:
        own |= found
    return sum(parents[process][1] for process in own if process in parents)


def _processes() -> Iterator[tuple[int, tuple[int, int]]]:
    """Each process, its parent, and the ticks of it and of the children that it has seen ending."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended
                # The name is in brackets, and may have brackets in it.
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                yield int(folder.name), (int(fields[1]), sum(map(int, fields[11:15])))
