"""How much memory there is, so that what wants more is told before it is allocated."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from rnnkit.system.groups import own_groups

_LIMITS: Final = ("memory.max", "memory.limit_in_bytes")
"""The files of a group of processes that limit it, in the second and the first version of cgroups."""


def memory() -> int:
    """Bytes that this process may have at most: what the machine has, its container may take, or `ulimit` allows."""
    return min(_limits(), default=2**63)


def size(n: float) -> str:
    """Bytes in the unit that leaves three digits: 4.52 MB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n < 1000 or unit == "TB":
            return f"{n:.0f} B" if unit == "B" else f"{n:.3g} {unit}"
        n /= 1000
    raise AssertionError


def _limits() -> Iterator[int]:
    with contextlib.suppress(AttributeError, ValueError, OSError):  # other systems do not tell
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for group in own_groups("memory"):
        for name in _LIMITS:
            with contextlib.suppress(OSError, ValueError):  # "max" is no number
                yield int((group / name).read_text())
    with contextlib.suppress(ImportError):  # not Unix
        import resource

        for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            soft = resource.getrlimit(which)[0]
            if soft != resource.RLIM_INFINITY:
                yield soft
