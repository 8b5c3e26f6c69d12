"""w' = w - learning_rate r m^ / (sqrt(v' / (1 - b2^t)) + epsilon) where v' can be trusted, else w - learning_rate m^

with the moments m', v' and m^ = m' / (1 - b1^t) of Adam at update t. It is trusted where rho > 5, with
n = 2 / (1 - b2) - 1, rho = n - 2 t b2^t / (1 - b2^t) and r^2 = (rho - 4)(rho - 2) n / ((n - 4)(n - 2) rho).
PyTorch divides by (sqrt(v') + epsilon) / sqrt(1 - b2^t), as is done here. g = dw + weight_decay w.

Liu et al., "On the variance of the adaptive learning rate and beyond" (2020), algorithm 2, as `torch.optim.RAdam`.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, lt

from rnnkit.kinds import Array, Optimizer
from rnnkit.numerics import penalized
from rnnkit_builtin.optimizers.adam import AdamSlots


@attrs.frozen
class RAdam(Optimizer[AdamSlots]):
    """Adam that warms up by itself: it goes by the first moment until the second is sure enough.

    Attributes:
        learning_rate: step size.
        beta1: how much of the first moment stays from update to update, in [0, 1).
        beta2: how much of the second moment stays, in [0, 1).
        epsilon: added to the root of the second moment, above 0.
        weight_decay: factor of the L2 penalty's gradient, at least 0.
    """

    learning_rate: float = attrs.field(default=1e-3, validator=gt(0.0))
    beta1: float = attrs.field(default=0.9, validator=and_(ge(0.0), lt(1.0)))
    beta2: float = attrs.field(default=0.999, validator=and_(ge(0.0), lt(1.0)))
    epsilon: float = attrs.field(default=1e-8, validator=gt(0.0))
    weight_decay: float = attrs.field(default=0.0, validator=ge(0.0))

    def slots(self, w: Array) -> AdamSlots:
        return AdamSlots(np.zeros_like(w), np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: AdamSlots, step: int, factor: float) -> None:
        g = penalized(dw, w, self.weight_decay)
        slots.take(g, self.beta1, self.beta2)
        rate = self.learning_rate * factor / (1.0 - self.beta1**step)
        trust = self._trust(step)
        if trust == 0.0:
            w -= rate * slots.m
        else:
            w -= rate * trust * slots.m / (np.sqrt(slots.v) + self.epsilon)

    def _trust(self, step: int) -> float:
        """r sqrt(1 - b2^t); 0 where the second moment cannot be trusted."""
        n, left = 2.0 / (1.0 - self.beta2) - 1.0, self.beta2**step
        rho = n - 2.0 * step * left / (1.0 - left)
        if rho <= 5.0:
            return 0.0
        r = math.sqrt((rho - 4.0) * (rho - 2.0) * n / ((n - 4.0) * (n - 2.0) * rho))
        return r * math.sqrt(1.0 - left)
