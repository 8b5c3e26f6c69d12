"""factor = decay^epoch."""

from __future__ import annotations

import math

import attrs
from attrs.validators import and_, gt, le

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class Exponential(Schedule):
    """Exponential decay.

    Attributes:
        decay: factor per epoch, in (0, 1].
        smooth: decay a little at every update, instead of at the end of each epoch.
    """

    decay: float = attrs.field(default=0.95, validator=and_(gt(0.0), le(1.0)))
    smooth: bool = False

    def factor(self, at: Progress) -> float:
        epoch = at.step / at.epoch_steps if self.smooth else at.epoch
        return math.pow(self.decay, epoch)
