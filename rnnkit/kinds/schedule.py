"""Learning-rate schedules."""

from __future__ import annotations

import abc
from typing import ClassVar

import attrs

from rnnkit.kinds.plugin import Plugin


@attrs.frozen
class Progress:
    """Where a run is.

    Attributes:
        step: updates done.
        steps: updates in the whole run.
        epoch_steps: updates in an epoch.
        metric: what the best model is chosen by, at each evaluation so far, turned so that smaller is better: nats as
            they are, scores with a minus. A checkpoint keeps it, so that a schedule that goes by it need not.
    """

    step: int
    steps: int
    epoch_steps: int
    metric: tuple[float, ...] = ()

    @property
    def epoch(self) -> int:
        """Number of whole epochs done."""
        return self.step // self.epoch_steps


class Schedule(Plugin):
    """A factor on the learning rate as training goes on."""

    noun: ClassVar[str] = "schedule"
    group: ClassVar[str] = "rnnkit.schedules"

    @property
    def by_metric(self) -> bool:
        """Whether it goes by the metric on val, so that there must be a val split."""
        return False

    @abc.abstractmethod
    def factor(self, at: Progress) -> float:
        """The factor on the optimizer's learning rate for the next update."""
