"""factor = low + (1 - low) (1 - cos(pi p)) / 2 on the way up,  end + (1 - end) (1 + cos(pi q)) / 2 on the way down

p and q go from 0 to 1 over the updates of each; end = low / drop.

Smith & Topin, "Super-convergence: very fast training of neural networks using large learning rates" (2018), section 3, with
cosines, as `torch.optim.lr_scheduler.OneCycleLR`.
"""

from __future__ import annotations

import math

import attrs
from attrs.validators import and_, ge, gt, le, lt

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class OneCycle(Schedule):
    """Once up to the optimizer's learning rate and far down, over the whole run.

    Attributes:
        rise: part of the run that goes up, in [0, 1).
        low: the factor of the first update, above 0, at most 1.
        drop: what `low` is divided by at the end, at least 1.
    """

    rise: float = attrs.field(default=0.3, validator=and_(ge(0.0), lt(1.0)))
    low: float = attrs.field(default=0.04, validator=and_(gt(0.0), le(1.0)))
    drop: float = attrs.field(default=1e4, validator=ge(1.0))

    def factor(self, at: Progress) -> float:
        top, last = self.rise * at.steps - 1.0, max(1, at.steps - 1)
        if at.step <= top:
            up = at.step / top if top > 0.0 else 1.0
            return self.low + (1.0 - self.low) * 0.5 * (1.0 - math.cos(math.pi * up))
        top = max(top, 0.0)
        down = min(1.0, (at.step - top) / (last - top))
        end = self.low / self.drop
        return end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * down))
