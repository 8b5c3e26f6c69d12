"""Where Linux has the limits of a container: the groups of processes (cgroups) that this one is in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_GROUPS: Final = Path("/sys/fs/cgroup")
"""Where Linux has the groups."""

_OWN: Final = Path("/proc/self/cgroup")
"""Where it has which of them this process is in."""


def own_groups(controller: str) -> Iterator[Path]:
    """Folders of the groups that this process is in, and of the groups that these are in: each may set a limit.

    Of the first and second version of cgroups, from the innermost to the outermost.

    Args:
        controller: what is limited: cpu, or memory.
    """
    try:
        lines = _OWN.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or controller in controllers.split(","):
            root = _GROUPS / controllers
            own = root / path.lstrip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))
