"""Says what a user's machine and installation are like for rnnkit, and what to do where they could be better."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rnnkit.describing.doctor import locking, machine, parts, products
from rnnkit.describing.doctor.finding import Finding

__all__ = ["Finding", "look"]


def look(folder: Path) -> Iterator[Finding]:
    """All findings, as they come; it takes about two seconds.

    Args:
        folder: where it is tried whether files can be locked.
    """
    yield from machine.look()
    yield from products.look()
    yield from parts.look()
    yield locking.look(folder)
