"""factor = 1."""

from __future__ import annotations

import attrs

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class Constant(Schedule):
    """The optimizer's own learning rate, all the time."""

    def factor(self, at: Progress) -> float:
        return 1.0
