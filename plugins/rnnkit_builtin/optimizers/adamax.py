"""m' = b1 m + (1 - b1) g;  s' = max(b2 s, |g| + epsilon);  w' = w - learning_rate m' / ((1 - b1^t) s')

at update t, with g = dw + weight_decay w.

Kingma & Ba, "Adam: a method for stochastic optimization" (2015), algorithm 2, as `torch.optim.Adamax`.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer, Slots
from rnnkit.numerics import penalized


@attrs.frozen
class AdamaxSlots(Slots):
    m: Array
    largest: Array


@attrs.frozen
class Adamax(Optimizer[AdamaxSlots]):
    """Adam with the largest gradient so far, fading, in the place of the root of the second moment.

    Attributes:
        learning_rate: step size.
        beta1: how much of the first moment stays from update to update, in [0, 1).
        beta2: how much of the largest gradient stays, in [0, 1).
        epsilon: added to the magnitude of the gradient, above 0.
        weight_decay: factor of the L2 penalty's gradient, at least 0.
    """

    learning_rate: float = attrs.field(default=2e-3, validator=gt(0.0))
    beta1: float = attrs.field(default=0.9, validator=and_(ge(0.0), lt(1.0)))
    beta2: float = attrs.field(default=0.999, validator=and_(ge(0.0), lt(1.0)))
    epsilon: float = attrs.field(default=1e-8, validator=gt(0.0))
    weight_decay: float = attrs.field(default=0.0, validator=ge(0.0))

    def slots(self, w: Array) -> AdamaxSlots:
        return AdamaxSlots(np.zeros_like(w), np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: AdamaxSlots, step: int, factor: float) -> None:
        g = penalized(dw, w, self.weight_decay)
        m, s = slots.m, slots.largest
        m *= self.beta1
        m += (1.0 - self.beta1) * g
        s *= self.beta2
        np.maximum(s, np.abs(g) + self.epsilon, out=s)
        w -= self.learning_rate * factor / (1.0 - self.beta1**step) * m / s
