"""s' = decay s + (1 - decay) g^2;  v' = momentum v + g / (sqrt(s') + epsilon);  w' = w - learning_rate v'

with g = dw + weight_decay w. If `centered`, the variance s' - n'^2 stands under the root, with n' = decay n + (1 - decay) g.

Tieleman & Hinton, "Lecture 6.5: RMSProp" (2012), in the form of `torch.optim.RMSprop`.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer, Slots
from rnnkit.numerics import penalized


@attrs.frozen
class RMSPropSlots(Slots):
    square: Array
    velocity: Array


@attrs.frozen
class CenteredSlots(RMSPropSlots):
    mean: Array


@attrs.frozen
class RMSProp(Optimizer[RMSPropSlots]):
    """Gradient descent by the gradient over its running root mean square.

    Attributes:
        learning_rate: step size.
        decay: how much of the mean square stays from update to update, in [0, 1) (PyTorch's alpha).
        epsilon: added to the root, above 0.
        momentum: how much of the velocity stays from update to update, in [0, 1).
        centered: divide by the running standard deviation instead (Graves 2013).
        weight_decay: factor of the L2 penalty's gradient, at least 0.
    """

    learning_rate: float = attrs.field(default=1e-2, validator=gt(0.0))
    decay: float = attrs.field(default=0.99, validator=and_(ge(0.0), lt(1.0)))
    epsilon: float = attrs.field(default=1e-8, validator=gt(0.0))
    momentum: float = attrs.field(default=0.0, validator=and_(ge(0.0), lt(1.0)))
    centered: bool = attrs.field(default=False)
    weight_decay: float = attrs.field(default=0.0, validator=ge(0.0))

    @centered.validator
    def _wants_a_mean(self, attribute: attrs.Attribute[bool], value: bool) -> None:
        if value and self.decay == 0.0:
            raise ValueError(
                "'centered' divides by a deviation from the mean: give a 'decay' above 0"
            )

    def slots(self, w: Array) -> RMSPropSlots:
        if self.centered:
            return CenteredSlots(np.zeros_like(w), np.zeros_like(w), np.zeros_like(w))
        return RMSPropSlots(np.zeros_like(w), np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: RMSPropSlots, step: int, factor: float) -> None:
        g, s, v = penalized(dw, w, self.weight_decay), slots.square, slots.velocity
        t = np.multiply(g, g, out=np.empty_like(g))
        t *= 1.0 - self.decay
        s *= self.decay
        s += t
        np.copyto(t, s)
        if isinstance(slots, CenteredSlots):
            slots.mean[...] = self.decay * slots.mean + (1.0 - self.decay) * g
            t -= slots.mean * slots.mean
            np.maximum(t, 0.0, out=t)  # of a constant gradient, rounding may leave less
        np.sqrt(t, out=t)
        t += self.epsilon
        np.divide(g, t, out=t)
        v *= self.momentum
        v += t
        w -= np.multiply(v, self.learning_rate * factor, out=t)
