"""factor = gamma^k after k times that the metric has not become better for more than `patience` evaluations.

As `torch.optim.lr_scheduler.ReduceLROnPlateau`, with a threshold relative to the best value.
"""

from __future__ import annotations

import math

import attrs
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class Plateau(Schedule):
    """A step down where the metric on val has stopped to become better.

    Attributes:
        patience: evaluations without a better value that are waited for before a step.
        gamma: what a step multiplies the factor by, in (0, 1).
        threshold: a value is better if it is so by this part of the best one; at least 0.
        cooldown: evaluations after a step that are not counted.
        floor: the least factor, in [0, 1).
    """

    patience: int = attrs.field(default=2, validator=ge(0))
    gamma: float = attrs.field(default=0.5, validator=and_(gt(0.0), lt(1.0)))
    threshold: float = attrs.field(default=1e-4, validator=ge(0.0))
    cooldown: int = attrs.field(default=0, validator=ge(0))
    floor: float = attrs.field(default=0.0, validator=and_(ge(0.0), lt(1.0)))

    @classmethod
    def variants(cls) -> list[Plateau]:
        """For the harness, which tries only the edges of whole numbers."""
        return [cls(patience=1, cooldown=1)]

    @property
    def by_metric(self) -> bool:
        return True

    def factor(self, at: Progress) -> float:
        factor, best, bad, cooling = 1.0, math.inf, 0, 0
        for value in at.metric:
            if value < (best if math.isinf(best) else best - self.threshold * abs(best)):
                best, bad = value, 0
            else:
                bad += 1
            if cooling:
                cooling, bad = cooling - 1, 0
            if bad > self.patience:
                factor = max(factor * self.gamma, self.floor)
                cooling, bad = self.cooldown, 0
        return factor
