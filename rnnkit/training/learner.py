"""What learns, epoch by epoch: the descent of the parameters that are not frozen, and the average of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rnnkit.kinds import Array
from rnnkit.network.groups import Way, ways
from rnnkit.network.model import Captioner
from rnnkit.parallel import Ranks
from rnnkit.training.average import Average
from rnnkit.training.blocks import Course
from rnnkit.training.descent import Descent, WholeDescent
from rnnkit.training.first_descent import FirstDescent
from rnnkit.training.shared_descent import SharedDescent


class Learner:
    """Updates a model, in which other groups of parameters may learn from epoch to epoch.

    What a parameter that begins to learn later remembers begins then, and its updates are counted from there. What one
    that is frozen remembers is forgotten.

    Attributes:
        descent: of the epoch.
        average: of the parameters, if the spec wants it.
    """

    def __init__(self, model: Captioner, epoch: Callable[[int], int], ranks: Ranks) -> None:
        """Start before the first update, from the first rank's parameters.

        Args:
            model: to be updated.
            epoch: of an update; both are counted from 1.
            ranks: that update it together.
        """
        self._ranks = ranks
        self._epoch_of = epoch
        self._epoch = 1
        self.descent = self._descent(model, self._ways(model, 1), lambda _: 0)
        decay = model.spec.train.average
        self.average = None if decay is None else Average(decay)
        self._cover()

    @property
    def model(self) -> Captioner:
        """With the parameters that are updated in place."""
        return self.descent.model

    @property
    def judged(self) -> Captioner:
        """What evaluations are of: the model with averaged parameters, if there are such."""
        return self.model if self.average is None else self.average.of(self.model)

    @property
    def wrt(self) -> Mapping[str, object] | None:
        """The parameters whose gradients are wanted; None for all."""
        learning = self.descent.courses
        return None if len(learning) == len(self.model.parameters) else learning

    @property
    def begun(self) -> dict[str, int]:
        """Parameter -> updates done before it began to learn, where there were some."""
        return {name: c.begun for name, c in self.descent.courses.items() if c.begun}

    def begin(self, number: int) -> None:
        """Get ready for this update, the first of whose epoch may bring other groups; all ranks do."""
        epoch = self._epoch_of(number)
        if epoch == self._epoch:
            return
        self._epoch = epoch
        now, wanted = self.descent.courses, self._ways(self.model, epoch)
        if {name: (c.optimizer, c.factor) for name, c in now.items()} == {
            name: (w.optimizer, w.factor) for name, w in wanted.items()
        }:
            return
        slots = self._ranks.broadcast(self.descent.slots())
        self.descent = self._descent(
            self.model, wanted, lambda name: now[name].begun if name in now else number - 1
        )
        self.descent.set_slots({name: slots[name] for name in slots.keys() & wanted.keys()})
        self._cover()

    def update(self, number: int, factor: float, scale: float) -> None:
        """Do this update with the gradient taken; arguments as `Descent.update` has them."""
        self.descent.update(number, factor, scale)
        if self.average is not None:
            self.average.take(self.model, number)

    def go_to(
        self,
        step: int,
        begun: Mapping[str, int],
        averaged: int | None,
        slots: Mapping[str, Mapping[str, Array]],
        averages: Mapping[str, Array],
    ) -> None:
        """Go on after this many updates, the model having its parameters already.

        What the spec freezes now is forgotten; what it did not let learn before begins with nothing.

        Args:
            step: updates done.
            begun: as it was then.
            averaged: updates done before averaging began, if it had.
            slots: parameter -> slot -> what the optimizer remembered.
            averages: of the parameters.

        Raises:
            CheckpointError: the slots are of another optimizer.
        """
        self._epoch = self._epoch_of(max(1, step))
        wanted = self._ways(self.model, self._epoch)
        self.descent = self._descent(
            self.model,
            wanted,
            lambda name: begun.get(name, 0) if name in slots or not slots else step,
        )
        self.descent.set_slots({name: slots[name] for name in slots.keys() & wanted.keys()})
        if self.average is not None:
            kept = {} if averaged is None else {n: a.copy() for n, a in averages.items()}
            self.average = Average(self.average.decay, step if averaged is None else averaged, kept)
            self._cover()

    def _ways(self, model: Captioner, epoch: int) -> dict[str, Way]:
        return ways(model.spec.train, tuple(model.parameters), epoch)

    def _descent(
        self, model: Captioner, wanted: Mapping[str, Way], begun: Callable[[str], int]
    ) -> Descent:
        courses = {
            name: Course(way.optimizer, way.factor, begun(name)) for name, way in wanted.items()
        }
        if self._ranks.size == 1:
            return WholeDescent(model, courses)
        table = model.spec.train
        piecewise = table.optimizer.elementwise and not table.lazy
        return (SharedDescent if piecewise else FirstDescent)(model, self._ranks, courses)

    def _cover(self) -> None:
        if self.average is not None:
            self.average.cover(self.model, self.descent.courses)
