"""Learning-rate schedules."""

from __future__ import annotations

import abc
from typing import ClassVar

import attrs

from rnnkit.kinds.plugin import Plugin


@attrs.frozen
class Progress:
    """Where a run is: `step` updates done, of `steps` in all, `epoch_steps` of them to an epoch."""

    step: int
    steps: int
    epoch_steps: int

    @property
    def epoch(self) -> int:
        """Number of whole epochs done."""
        return self.step // self.epoch_steps


class Schedule(Plugin):
    """A factor on the learning rate as training goes on."""

    noun: ClassVar[str] = "schedule"
    group: ClassVar[str] = "rnnkit.schedules"

    @abc.abstractmethod
    def factor(self, at: Progress) -> float:
        """The factor on the optimizer's learning rate for the next update."""
