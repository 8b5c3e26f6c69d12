"""The widths that a layer or a cell takes: it may refuse some, and then others near by are checked."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from rnnkit.testing.example import Broken
from rnnkit.testing.raised import deliberate

SEARCHED = range(1, 65)
"""Widths that are tried before it is said that all are refused."""


@attrs.define
class Widths:
    """Which widths are taken, tried when they are asked for.

    Attributes:
        attempt: does with a width what raises ValueError if it is refused. What NumPy raises is no refusal.
    """

    attempt: Callable[[int], object]
    known: dict[int, bool] = attrs.field(factory=dict)
    refusal: str = ""

    def takes(self, width: int) -> bool:
        """Whether a width is not refused."""
        if width not in self.known:
            self.known[width] = True
            try:
                self.attempt(width)
            except ValueError as e:
                if deliberate(e):
                    self.refusal, self.known[width] = str(e), False
            except Exception:
                return True  # the cases tell
        return self.known[width]

    def near(self, width: int) -> int:
        """The nearest width that is taken.

        Raises:
            Broken: all of those searched are refused.
        """
        nearest: list[int] = sorted({*SEARCHED, width}, key=lambda w: (abs(w - width), -w))
        for near in nearest:
            if self.takes(near):
                return near
        raise Broken(
            "widths",
            f"every width from {SEARCHED[0]} to {SEARCHED[-1]} is refused, so there is nothing to check: "
            f"{self.refusal}",
        )
