"""factor = 1 / (1 + decay epoch).

Robbins & Monro, "A stochastic approximation method" (1951), section 4: steps that fall as 1/t.
"""

from __future__ import annotations

import attrs
from attrs.validators import ge

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class InverseTime(Schedule):
    """Decay that becomes ever slower.

    Attributes:
        decay: after 1/decay epochs the factor is 1/2; at least 0.
        smooth: decay a little at every update, instead of at the end of each epoch.
    """

    decay: float = attrs.field(default=0.1, validator=ge(0.0))
    smooth: bool = False

    def factor(self, at: Progress) -> float:
        epoch = at.step / at.epoch_steps if self.smooth else at.epoch
        return 1.0 / (1.0 + self.decay * epoch)
