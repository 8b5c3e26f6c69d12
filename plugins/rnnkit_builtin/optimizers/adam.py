"""m' = b1 m + (1 - b1) dw;  v' = b2 v + (1 - b2) dw^2;  w' = w - learning_rate m^ / (sqrt(v^) + epsilon)

with m^ = m' / (1 - b1^t) and v^ = v' / (1 - b2^t) at update t.

Kingma & Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer, Slots


@attrs.frozen
class AdamSlots(Slots):
    m: Array
    v: Array


@attrs.frozen
class Adam(Optimizer[AdamSlots]):
    """Gradient descent by running moments of the gradient.

    Attributes:
        learning_rate: step size.
        beta1: how much of the first moment stays from update to update, in [0, 1).
        beta2: how much of the second moment stays, in [0, 1).
        epsilon: added to the root of the second moment, above 0.
    """

    learning_rate: float = attrs.field(default=1e-3, validator=gt(0.0))
    beta1: float = attrs.field(default=0.9, validator=and_(ge(0.0), lt(1.0)))
    beta2: float = attrs.field(default=0.999, validator=and_(ge(0.0), lt(1.0)))
    epsilon: float = attrs.field(default=1e-8, validator=gt(0.0))

    def slots(self, w: Array) -> AdamSlots:
        return AdamSlots(np.zeros_like(w), np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: AdamSlots, step: int, factor: float) -> None:
        m, v = slots.m, slots.v
        t = np.multiply(dw, 1.0 - self.beta1, out=np.empty_like(dw))
        m *= self.beta1
        m += t
        np.multiply(dw, dw, out=t)
        t *= 1.0 - self.beta2
        v *= self.beta2
        v += t
        np.sqrt(v, out=t)
        t /= math.sqrt(1.0 - self.beta2**step)
        t += self.epsilon
        np.divide(m, t, out=t)
        t *= self.learning_rate * factor / (1.0 - self.beta1**step)
        w -= t
