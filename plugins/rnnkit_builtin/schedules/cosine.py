"""factor = floor + (1 - floor) (1 + cos(pi step / steps)) / 2.

Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), equation 5, without restarts.
"""

from __future__ import annotations

import math

import attrs
from attrs.validators import and_, ge, le

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class Cosine(Schedule):
    """Half a cosine wave over the whole run, from 1 down to a floor.

    Attributes:
        floor: the factor at the end of the run, in [0, 1].
    """

    floor: float = attrs.field(default=0.0, validator=and_(ge(0.0), le(1.0)))

    def factor(self, at: Progress) -> float:
        wave = 0.5 * (1.0 + math.cos(math.pi * at.step / at.steps))
        return self.floor + (1.0 - self.floor) * wave
