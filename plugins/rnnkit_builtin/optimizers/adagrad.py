"""s' = s + dw^2;  w' = w - learning_rate dw / (sqrt(s') + epsilon).

Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization" (2011),
section 1.1 (the diagonal form), as `torch.optim.Adagrad`.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import gt

from rnnkit.kinds import Array, Optimizer, Slots


@attrs.frozen
class AdagradSlots(Slots):
    square: Array


@attrs.frozen
class Adagrad(Optimizer[AdagradSlots]):
    """Gradient descent by the gradient over the root of the sum of all its squares so far.

    Attributes:
        learning_rate: step size.
        epsilon: added to the root, above 0.
    """

    learning_rate: float = attrs.field(default=1e-2, validator=gt(0.0))
    epsilon: float = attrs.field(default=1e-10, validator=gt(0.0))

    def slots(self, w: Array) -> AdagradSlots:
        return AdagradSlots(np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: AdagradSlots, step: int, factor: float) -> None:
        t = np.multiply(dw, dw, out=np.empty_like(dw))
        np.add(slots.square, t, out=slots.square)
        np.sqrt(slots.square, out=t)
        t += self.epsilon
        np.divide(dw, t, out=t)
        t *= self.learning_rate * factor
        w -= t
