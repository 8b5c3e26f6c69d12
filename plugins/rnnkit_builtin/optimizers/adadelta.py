"""s' = decay s + (1 - decay) g^2;  u = g sqrt(d + epsilon) / sqrt(s' + epsilon);  d' = decay d + (1 - decay) u^2;
w' = w - learning_rate u

with g = dw + weight_decay w.

Zeiler, "ADADELTA: an adaptive learning rate method" (2012), algorithm 1, as `torch.optim.Adadelta`.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer, Slots
from rnnkit.numerics import penalized


@attrs.frozen
class AdadeltaSlots(Slots):
    square: Array
    change: Array


@attrs.frozen
class Adadelta(Optimizer[AdadeltaSlots]):
    """Gradient descent in which the size of earlier changes stands for the learning rate.

    Attributes:
        learning_rate: a factor on each change; 1 in the paper.
        decay: how much of both mean squares stays from update to update, in [0, 1).
        epsilon: added to both, above 0; the first changes are about its root.
        weight_decay: factor of the L2 penalty's gradient, at least 0.
    """

    learning_rate: float = attrs.field(default=1.0, validator=gt(0.0))
    decay: float = attrs.field(default=0.9, validator=and_(ge(0.0), lt(1.0)))
    epsilon: float = attrs.field(default=1e-6, validator=gt(0.0))
    weight_decay: float = attrs.field(default=0.0, validator=ge(0.0))

    def slots(self, w: Array) -> AdadeltaSlots:
        return AdadeltaSlots(np.zeros_like(w), np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: AdadeltaSlots, step: int, factor: float) -> None:
        g = penalized(dw, w, self.weight_decay)
        s, d = slots.square, slots.change
        s *= self.decay
        s += (1.0 - self.decay) * g * g
        u = g * np.sqrt((d + self.epsilon) / (s + self.epsilon))
        d *= self.decay
        d += (1.0 - self.decay) * u * u
        w -= self.learning_rate * factor * u
