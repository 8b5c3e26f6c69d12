"""Mistakes of a data file, gathered so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Mask

TOLD: Final = 20
"""Mistakes that a message tells at most, with their places."""


@attrs.define
class Mistakes:
    """What is wrong with a file, in the order in which it was found."""

    file: Path
    _told: list[str] = attrs.field(factory=list, init=False)
    _count: int = attrs.field(default=0, init=False)

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, place: str, what: str) -> None:
        """Take a mistake down; `place` is in the file, such as images[3] or line 7."""
        self._count += 1
        if len(self._told) < TOLD:
            self._told.append(f"{place}: {what}" if place else what)

    def add_where(self, wrong: Mask, what: Callable[..., str]) -> None:
        """Take down a mistake for each True of a mask; `what` says it of the indices of one."""
        count = int(np.count_nonzero(wrong))
        if count:
            for at in np.argwhere(wrong)[: TOLD - len(self._told)].tolist():
                self._told.append(what(*at))
            self._count += count

    def tell(self) -> None:
        """Raise a DataError with all of them, if there is any: the first ones a line each."""
        if self._count == 1:
            raise DataError(f"{self.file}: {self._told[0]}")
        if self._count:
            more = self._count - len(self._told)
            lines = [*self._told, *([f"and {more:,} more"] if more else [])]
            raise DataError(
                f"{self.file} has {self._count:,} mistakes:\n" + "\n".join(f"  {x}" for x in lines)
            )
