"""factor = floor + (1 - floor) (1 - step / steps)^power.

Chen, Papandreou, Kokkinos, Murphy & Yuille, "DeepLab" (2018), section 4.1.2 ("poly"), as
`torch.optim.lr_scheduler.PolynomialLR`.
"""

from __future__ import annotations

import math

import attrs
from attrs.validators import and_, ge, gt, le

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class Polynomial(Schedule):
    """A power of what is left of the run.

    Attributes:
        power: 1 is a straight line; larger ones fall sooner. Above 0.
        floor: the factor at the end of the run, in [0, 1].
    """

    power: float = attrs.field(default=0.9, validator=gt(0.0))
    floor: float = attrs.field(default=0.0, validator=and_(ge(0.0), le(1.0)))

    def factor(self, at: Progress) -> float:
        return self.floor + (1.0 - self.floor) * math.pow(1.0 - at.step / at.steps, self.power)
