"""u = sign(b1 m + (1 - b1) dw);  m' = b2 m + (1 - b2) dw;  w' = w - learning_rate (u + weight_decay w).

Chen et al., "Symbolic discovery of optimization algorithms" (2023), algorithm 2.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer, Slots


@attrs.frozen
class LionSlots(Slots):
    m: Array


@attrs.frozen
class Lion(Optimizer[LionSlots]):
    """Every entry moves by the learning rate, in the direction of a momentum; half of Adam's memory.

    Attributes:
        learning_rate: step size; a third to a tenth of Adam's.
        beta1: how much of the momentum is in the direction of an update, in [0, 1).
        beta2: how much of the momentum stays from update to update, in [0, 1).
        weight_decay: part of w that goes at each update, in units of the learning rate; at least 0.
    """

    learning_rate: float = attrs.field(default=1e-4, validator=gt(0.0))
    beta1: float = attrs.field(default=0.9, validator=and_(ge(0.0), lt(1.0)))
    beta2: float = attrs.field(default=0.99, validator=and_(ge(0.0), lt(1.0)))
    weight_decay: float = attrs.field(default=0.0, validator=ge(0.0))

    def slots(self, w: Array) -> LionSlots:
        return LionSlots(np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: LionSlots, step: int, factor: float) -> None:
        m = slots.m
        change = np.sign(self.beta1 * m + (1.0 - self.beta1) * dw)
        m *= self.beta2
        m += (1.0 - self.beta2) * dw
        w -= self.learning_rate * factor * (change + self.weight_decay * w)
