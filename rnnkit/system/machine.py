"""What this machine is, and how busy it is."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, Final

from rnnkit.system.cores import cores

_STATISTICS: Final = Path("/proc/stat")
"""Where Linux has what each core has done since the machine was started."""


def processor() -> str:
    """Its name as it is sold, where the system tells it."""
    if sys.platform == "linux":
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def blas() -> str:
    """The library that NumPy's matrix products are made by, and its version."""
    import numpy as np

    config: Any = np.show_config(mode="dicts")
    found = config.get("Build Dependencies", {}).get("blas", {})
    return f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()


class Others:
    """What other programs take of this process's cores, from one look to the next."""

    def __init__(self) -> None:
        self._at, self._busy, self._own = time.perf_counter(), busy_ticks(), time.process_time()

    def look(self) -> float | None:
        """How many cores they have kept busy since the last look, on the average; None if not known."""
        at, busy, own = time.perf_counter(), busy_ticks(), time.process_time()
        passed, mine, before = at - self._at, own - self._own, self._busy
        self._at, self._busy, self._own = at, busy, own
        if before is None or busy is None or passed <= 0.0:
            return None
        theirs = (busy - before) / os.sysconf("SC_CLK_TCK") - mine
        return min(max(0.0, theirs / passed), float(len(cores())))


def taken(seconds: float = 0.2) -> float | None:
    """How many of this process's cores other programs keep busy, on the average over `seconds`; None if not known."""
    others = Others()
    time.sleep(seconds)
    return others.look()


def busy_ticks() -> int | None:
    """Ticks for which this process's cores have worked, for whichever program; None if the system does not tell."""
    try:
        lines = _STATISTICS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    own, busy = cores(), 0
    for line in lines:
        name, *ticks = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in own:
            user, nice, system, _idle, _waiting, *others = map(int, ticks[:8])
            busy += user + nice + system + sum(others)
    return busy
