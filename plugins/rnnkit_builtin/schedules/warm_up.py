"""factor = (step + 1) / k for the first k updates, then that of another schedule.

Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour" (2017), section 2.2.
"""

from __future__ import annotations

import attrs
from attrs.validators import ge

from rnnkit.kinds import Progress, Schedule
from rnnkit_builtin.schedules.constant import Constant


@attrs.frozen
class WarmUp(Schedule):
    """A linear rise, then another schedule over the rest of the run.

    The other schedule sees the rest as a run of its own: its update 0, and its epoch 0, begin where the
    warm-up ends. Its epochs are as long as those of the data, but begin and end `steps` updates later, unless
    `steps` is a whole number of epochs.

    Attributes:
        steps: k, the number of updates to warm up for.
        then: the schedule of the rest.
    """

    steps: int = attrs.field(validator=ge(1))
    then: Schedule = Constant()

    @property
    def by_metric(self) -> bool:
        return self.then.by_metric

    def factor(self, at: Progress) -> float:
        if at.step < self.steps:
            return (at.step + 1) / self.steps
        rest = attrs.evolve(at, step=at.step - self.steps, steps=at.steps - self.steps)
        return self.then.factor(rest)
