"""w' = w - learning_rate ((1 - mu) g / (1 - M) + mu+ m' / (1 - M mu+)) / (sqrt(v' / (1 - b2^t)) + epsilon)

at update t, with the moments m' and v' of Adam, g = dw + weight_decay w, mu = b1 (1 - 0.96^(t momentum_decay) / 2), mu+ that
of update t + 1, and M the product of mu over all updates up to t.

Dozat, "Incorporating Nesterov momentum into Adam" (2016), algorithm 2, as `torch.optim.NAdam`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer
from rnnkit.numerics import penalized
from rnnkit_builtin.optimizers.adam import AdamSlots

NOTHING: Final = -60.0 * math.log(2.0)
"""The logarithm of what a product can be taken for 0 at: 1 minus it is 1."""


@attrs.frozen
class NAdam(Optimizer[AdamSlots]):
    """Adam that looks ahead along the first moment, as Nesterov does.

    Attributes:
        learning_rate: step size.
        beta1: how much of the first moment stays from update to update, in [0, 1).
        beta2: how much of the second moment stays, in [0, 1).
        epsilon: added to the root of the second moment, above 0.
        weight_decay: factor of the L2 penalty's gradient, at least 0.
        momentum_decay: how fast the momentum rises from half of beta1 to beta1, at least 0.
    """

    learning_rate: float = attrs.field(default=2e-3, validator=gt(0.0))
    beta1: float = attrs.field(default=0.9, validator=and_(ge(0.0), lt(1.0)))
    beta2: float = attrs.field(default=0.999, validator=and_(ge(0.0), lt(1.0)))
    epsilon: float = attrs.field(default=1e-8, validator=gt(0.0))
    weight_decay: float = attrs.field(default=0.0, validator=ge(0.0))
    momentum_decay: float = attrs.field(default=4e-3, validator=ge(0.0))

    def slots(self, w: Array) -> AdamSlots:
        return AdamSlots(np.zeros_like(w), np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: AdamSlots, step: int, factor: float) -> None:
        g = penalized(dw, w, self.weight_decay)
        slots.take(g, self.beta1, self.beta2)
        divisor = np.sqrt(slots.v / (1.0 - self.beta2**step)) + self.epsilon
        mu, ahead = _momentum(self, step), _momentum(self, step + 1)
        product = _product(self, step)
        change = (1.0 - mu) / (1.0 - product) * g + ahead / (1.0 - product * ahead) * slots.m
        w -= self.learning_rate * factor * change / divisor


def _momentum(plugin: NAdam, step: float) -> float:
    return plugin.beta1 * (1.0 - 0.5 * math.pow(0.96, step * plugin.momentum_decay))


@lru_cache(maxsize=16)
def _product(plugin: NAdam, step: int) -> float:
    """The product of the momenta of all updates; each is at most beta1, so that few of many count."""
    if plugin.beta1 == 0.0:
        return 0.0
    few = min(step, math.ceil(NOTHING / math.log(plugin.beta1)))
    rise = 1.0 - 0.5 * np.power(0.96, plugin.momentum_decay * np.arange(1, few + 1))
    return float(np.prod(plugin.beta1 * rise))
