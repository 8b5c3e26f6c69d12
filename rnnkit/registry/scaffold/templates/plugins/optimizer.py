"""v' = g(v, dw);  w' = w - learning_rate v': the update rule, in one line.

Authors, "Title" (year), section.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import gt

from rnnkit.kinds import Array, Optimizer, Slots


@attrs.frozen
class NewPluginSlots(Slots):
    """What is remembered of each parameter between updates."""

    velocity: Array


@attrs.frozen
class NewPlugin(Optimizer[NewPluginSlots]):
    """What it is, in one line.

    Attributes:
        learning_rate: step size.
    """

    learning_rate: float = attrs.field(default=1e-2, validator=gt(0.0))

    def slots(self, w: Array) -> NewPluginSlots:
        return NewPluginSlots(velocity=np.zeros_like(w))

    def update(
        self,
        w: Array,
        dw: Array,
        slots: NewPluginSlots,  # v = slots.velocity, and then `v *= 0.9` changes it in place
        step: int,  # from 1
        factor: float,  # the schedule's, on the learning rate
    ) -> None:
        raise NotImplementedError("write the update, in place, as with `w -= change`")
