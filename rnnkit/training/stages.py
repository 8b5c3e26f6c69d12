"""The stages of a run: epochs of training by the loss, then epochs of training by a reward, each with its own batches."""

from __future__ import annotations

import math

import attrs

from rnnkit.kinds import Progress, Schedule
from rnnkit.registry.returned import finite
from rnnkit.spec.schema import RewardTable, TrainTable


@attrs.frozen
class Stage:
    """Epochs that are alike.

    Attributes:
        begin: updates before it.
        end: updates at its end.
        epoch: epochs before it.
        epoch_steps: updates in each of its epochs.
        batch: N, captions by people an update.
        schedule: of the learning rate.
        reward: what it learns from; None for the loss.
    """

    begin: int
    end: int
    epoch: int
    epoch_steps: int
    batch: int
    schedule: Schedule
    reward: RewardTable | None = None

    def after(self, step: int) -> tuple[int, int]:
        """After so many updates of the run: epochs done, and updates done of the next one."""
        epochs, done = divmod(step - self.begin, self.epoch_steps)
        return self.epoch + epochs, done

    def factor(self, step: int, metric: tuple[float, ...]) -> float:
        """On the learning rate, of the update after so many: each stage is a run of its own.

        Args:
            step: updates done.
            metric: as `Progress` has it, of the evaluations of this stage.
        """
        at = Progress(step - self.begin, self.end - self.begin, self.epoch_steps, metric)
        return finite(self.schedule, "factor", self.schedule.factor(at))

    def due(self, step: int, every: int | None) -> bool:
        """Whether an evaluation comes after so many updates."""
        return (step - self.begin) % (every or self.epoch_steps) == 0 or step >= self.end


@attrs.frozen
class Stages:
    """All stages of a run, in order."""

    all: tuple[Stage, ...]

    @staticmethod
    def of(table: TrainTable, captions: int) -> Stages:
        """Those of a spec, over so many captions."""
        reward = table.reward
        before = table.epochs if reward is None else reward.after
        steps = math.ceil(captions / table.batch)
        first = Stage(0, before * steps, 0, steps, table.batch, table.schedule)
        if reward is None:
            return Stages((first,))
        batch = reward.batch or table.batch
        steps = math.ceil(captions / batch)
        end = first.end + (table.epochs - before) * steps
        second = Stage(first.end, end, before, steps, batch, reward.schedule, reward)
        return Stages((first, second) if before else (second,))

    @property
    def steps(self) -> int:
        """Updates in all."""
        return self.all[-1].end

    @property
    def rewarded(self) -> int | None:
        """Updates before the first that learns from a reward; None if there is none."""
        return next((stage.begin for stage in self.all if stage.reward is not None), None)

    def at(self, step: int) -> Stage:
        """The stage of the update after so many; the last one at the end."""
        return next((stage for stage in self.all if step < stage.end), self.all[-1])

    def done(self, step: int) -> Stage:
        """The stage of the last of so many updates."""
        return self.at(max(step - 1, 0))
