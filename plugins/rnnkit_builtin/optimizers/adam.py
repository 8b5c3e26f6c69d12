"""m' = b1 m + (1 - b1) g;  v' = b2 v + (1 - b2) g^2;  w' = w - learning_rate m^ / (sqrt(v^) + epsilon)

with g = dw + weight_decay w, m^ = m' / (1 - b1^t) and v^ = v' / (1 - b2^t) at update t; with `amsgrad` the largest v' so far
stands for v' in v^.

Kingma & Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1; amsgrad: Reddi, Kale & Kumar, "On the
convergence of Adam and beyond" (2018), algorithm 2. As `torch.optim.Adam`.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer, Slots
from rnnkit.numerics import penalized


@attrs.frozen
class AdamSlots(Slots):
    """The running moments of the gradient."""

    m: Array
    v: Array

    def take(self, g: Array, beta1: float, beta2: float) -> Array:
        """Take in a gradient; returns an array of its shape to work in."""
        t = np.multiply(g, 1.0 - beta1, out=np.empty_like(g))
        m, v = self.m, self.v
        m *= beta1
        m += t
        np.multiply(g, g, out=t)
        t *= 1.0 - beta2
        v *= beta2
        v += t
        return t


@attrs.frozen
class AmsgradSlots(AdamSlots):
    largest: Array


@attrs.frozen
class Adam(Optimizer[AdamSlots]):
    """Gradient descent by running moments of the gradient.

    Attributes:
        learning_rate: step size.
        beta1: how much of the first moment stays from update to update, in [0, 1).
        beta2: how much of the second moment stays, in [0, 1).
        epsilon: added to the root of the second moment, above 0.
        amsgrad: divide by the root of the largest second moment so far.
        weight_decay: factor of the L2 penalty's gradient, at least 0; for decay that stays out of the moments, use `adamw`.
    """

    learning_rate: float = attrs.field(default=1e-3, validator=gt(0.0))
    beta1: float = attrs.field(default=0.9, validator=and_(ge(0.0), lt(1.0)))
    beta2: float = attrs.field(default=0.999, validator=and_(ge(0.0), lt(1.0)))
    epsilon: float = attrs.field(default=1e-8, validator=gt(0.0))
    amsgrad: bool = False
    weight_decay: float = attrs.field(default=0.0, validator=ge(0.0))

    def slots(self, w: Array) -> AdamSlots:
        if self.amsgrad:
            return AmsgradSlots(np.zeros_like(w), np.zeros_like(w), np.zeros_like(w))
        return AdamSlots(np.zeros_like(w), np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: AdamSlots, step: int, factor: float) -> None:
        self.follow(w, penalized(dw, w, self.weight_decay), slots, step, factor)

    def follow(self, w: Array, g: Array, slots: AdamSlots, step: int, factor: float) -> None:
        """Update w by the moments of g."""
        t = slots.take(g, self.beta1, self.beta2)
        v = slots.v
        if isinstance(slots, AmsgradSlots):
            v = np.maximum(slots.largest, v, out=slots.largest)
        root = math.sqrt(1.0 - self.beta2**step)  # taken out of the fraction: one pass less
        np.sqrt(v, out=t)
        t += self.epsilon * root
        np.divide(slots.m, t, out=t)
        t *= self.learning_rate * factor * root / (1.0 - self.beta1**step)
        w -= t
