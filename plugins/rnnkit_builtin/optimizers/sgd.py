"""v' = momentum v + (1 - dampening) g;  w' = w - learning_rate v';  with Nesterov w' = w - learning_rate (g + momentum v')

with g = dw + weight_decay w. The first v' is g, whatever the dampening.

Sutskever, Martens, Dahl & Hinton, "On the importance of initialization and momentum in deep learning" (2013),
section 2, in the form of `torch.optim.SGD`, where the velocity does not contain the learning rate.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer, Slots
from rnnkit.numerics import penalized


@attrs.frozen
class SGDSlots(Slots):
    velocity: Array


@attrs.frozen
class SGD(Optimizer[SGDSlots]):
    """Stochastic gradient descent.

    Attributes:
        learning_rate: step size.
        momentum: how much of the velocity stays from update to update, in [0, 1).
        nesterov: look ahead along the velocity; wants momentum.
        weight_decay: factor of the L2 penalty's gradient, at least 0.
        dampening: how much of the gradient does not go into the velocity, in [0, 1); wants momentum, and no `nesterov`.
    """

    learning_rate: float = attrs.field(default=1e-2, validator=gt(0.0))
    momentum: float = attrs.field(default=0.0, validator=and_(ge(0.0), lt(1.0)))
    nesterov: bool = attrs.field(default=False)
    weight_decay: float = attrs.field(default=0.0, validator=ge(0.0))

    dampening: float = attrs.field(default=0.0, validator=[ge(0.0), lt(1.0)])

    @nesterov.validator
    def _wants_momentum(self, attribute: attrs.Attribute[bool], value: bool) -> None:
        if value and self.momentum == 0.0:
            raise ValueError("'nesterov' looks ahead along the velocity: give a 'momentum' above 0")

    @dampening.validator
    def _wants_a_velocity(self, attribute: attrs.Attribute[float], value: float) -> None:
        if value and (self.nesterov or self.momentum == 0.0):
            raise ValueError(
                "'dampening' is for what goes into the velocity: give a 'momentum' above 0, and no 'nesterov'"
            )

    def slots(self, w: Array) -> SGDSlots:
        return SGDSlots(np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: SGDSlots, step: int, factor: float) -> None:
        g, v = penalized(dw, w, self.weight_decay), slots.velocity
        v *= self.momentum
        v += g if step == 1 or not self.dampening else (1.0 - self.dampening) * g
        change = g + self.momentum * v if self.nesterov else v
        w -= self.learning_rate * factor * change
