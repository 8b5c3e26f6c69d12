"""w' = (1 - learning_rate weight_decay) w - Adam's change: the decay stays out of Adam's moments.

Loshchilov & Hutter, "Decoupled weight decay regularization" (2019), algorithm 2, as `torch.optim.AdamW`.
"""

from __future__ import annotations

import attrs
from attrs.validators import ge

from rnnkit.kinds import Array
from rnnkit_builtin.optimizers.adam import Adam, AdamSlots


@attrs.frozen
class AdamW(Adam):
    """Adam with decoupled weight decay; see `Adam` for the other options.

    Attributes:
        weight_decay: part of w that goes at each update, in units of the learning rate; at least 0.
    """

    weight_decay: float = attrs.field(default=1e-2, validator=ge(0.0))

    def update(self, w: Array, dw: Array, slots: AdamSlots, step: int, factor: float) -> None:
        w *= 1.0 - self.learning_rate * factor * self.weight_decay
        self.follow(w, dw, slots, step, factor)
