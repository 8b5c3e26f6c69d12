"""How many threads a process takes beside other programs: those whose cores these leave free."""

from __future__ import annotations

import time
from typing import Final

from rnnkit.system.cores import cores
from rnnkit.system.machine import Others

LOOK: Final = 0.2
"""Seconds that a look takes, while the work goes on."""

EVERY: Final = 1.0
"""Seconds between two looks."""


def free_threads(most: int, others: float) -> int:
    """At most so many threads, less one for each core that other programs keep busy more than half; one at least."""
    return max(1, min(most, int(len(cores()) - others + 0.5)))


class Beside:
    """Looks every so often at what other programs take."""

    def __init__(self, most: int) -> None:
        """Begin with all threads; a program is still importing when the first look is over.

        Args:
            most: threads, with nobody else there.
        """
        self._most = self._now = most
        self._looking: Others | None = Others()
        self._next = time.monotonic() + LOOK

    def threads(self) -> int:
        """How many to take now."""
        now = time.monotonic()
        if now < self._next:
            return self._now
        if self._looking is None or now > self._next + EVERY:  # or the process has rested meanwhile
            self._looking, self._next = Others(), now + LOOK
            return self._now
        others = self._looking.look()
        self._looking, self._next = None, now + EVERY
        self._now = self._most if others is None else free_threads(self._most, others)
        return self._now
