"""s' = decay s + (1 - decay) dw^2;  v' = momentum v + dw / (sqrt(s') + epsilon);  w' = w - learning_rate v'.

Tieleman & Hinton, "Lecture 6.5: RMSProp" (2012), in the form of `torch.optim.RMSprop`.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer, Slots


@attrs.frozen
class RMSPropSlots(Slots):
    square: Array
    velocity: Array


@attrs.frozen
class RMSProp(Optimizer[RMSPropSlots]):
    """Gradient descent by the gradient over its running root mean square.

    Attributes:
        learning_rate: step size.
        decay: how much of the mean square stays from update to update, in [0, 1) (PyTorch's alpha).
        epsilon: added to the root, above 0.
        momentum: how much of the velocity stays from update to update, in [0, 1).
    """

    learning_rate: float = attrs.field(default=1e-2, validator=gt(0.0))
    decay: float = attrs.field(default=0.99, validator=and_(ge(0.0), lt(1.0)))
    epsilon: float = attrs.field(default=1e-8, validator=gt(0.0))
    momentum: float = attrs.field(default=0.0, validator=and_(ge(0.0), lt(1.0)))

    def slots(self, w: Array) -> RMSPropSlots:
        return RMSPropSlots(np.zeros_like(w), np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: RMSPropSlots, step: int, factor: float) -> None:
        s, v = slots.square, slots.velocity
        t = np.multiply(dw, dw, out=np.empty_like(dw))
        t *= 1.0 - self.decay
        s *= self.decay
        s += t
        np.sqrt(s, out=t)
        t += self.epsilon
        np.divide(dw, t, out=t)
        v *= self.momentum
        v += t
        w -= np.multiply(v, self.learning_rate * factor, out=t)
