"""factor = gamma^(epoch // every)."""

from __future__ import annotations

import math

import attrs
from attrs.validators import and_, ge, gt, le

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class Step(Schedule):
    """Stairs down.

    Attributes:
        every: epochs on each stair.
        gamma: factor from stair to stair, in (0, 1].
    """

    every: int = attrs.field(default=10, validator=ge(1))
    gamma: float = attrs.field(default=0.1, validator=and_(gt(0.0), le(1.0)))

    def factor(self, at: Progress) -> float:
        return math.pow(self.gamma, at.epoch // self.every)
