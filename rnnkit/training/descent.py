"""What an update changes: parameters, and what the optimizer remembers of them."""

from __future__ import annotations

import abc
from collections.abc import Mapping

from rnnkit.errors import CheckpointError
from rnnkit.kinds import Array, Ints, Slots, named_arrays
from rnnkit.network.model import Captioner
from rnnkit.numerics import sum_of_squares
from rnnkit.training.blocks import Course, in_blocks, slots_of, update_blocks
from rnnkit.training.lazy import Looked, looked_up, update_rows


class Descent(abc.ABC):
    """Updates of a model's parameters from gradients.

    Attributes:
        model: with the parameters that are updated in place.
        courses: how each of them learns, by name; frozen ones are not there.
    """

    model: Captioner
    courses: Mapping[str, Course]

    @abc.abstractmethod
    def take(self, gradients: Mapping[str, Array]) -> None:
        """Take gradients of a batch, or of this rank's rows of it, part by part from the end of the network: those of
        all parameters that are not frozen, and no others.
        """

    def looked_up(self, tokens: Ints) -> None:
        """These tokens come up in the batch; called before `taken`, for updates of some rows only."""
        return

    @abc.abstractmethod
    def taken(self) -> None:
        """All there are have been taken; those of a rank without rows are zero."""

    @abc.abstractmethod
    def square(self) -> float:
        """The sum of squares of this rank's share of the gradient taken."""

    @abc.abstractmethod
    def update(self, number: int, factor: float, scale: float) -> None:
        """Update all parameters that are not frozen, on all ranks.

        Args:
            number: of this update, from 1.
            factor: the schedule's, on the learning rate.
            scale: what the gradient is multiplied by.
        """

    @abc.abstractmethod
    def slots(self) -> dict[str, dict[str, Array]]:
        """Parameter -> slot -> what the optimizer remembers, as it would in one process; of ranks, the first has it."""

    @abc.abstractmethod
    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        """Remember this from now on, of the parameters that it names; others begin with nothing.

        Raises:
            CheckpointError: it is not of this optimizer.
        """


class WholeDescent(Descent):
    """In one process: the parameters where they are."""

    def __init__(self, model: Captioner, courses: Mapping[str, Course] | None = None) -> None:
        """Start with nothing to remember; all parameters learn alike if left open."""
        self.model = model
        self.courses = alike(model) if courses is None else courses
        self._slots = {
            name: slots_of(course.optimizer, model.parameters[name])
            for name, course in self.courses.items()
        }
        self._looked = Looked(looked_up(model) & self.courses.keys())
        self._blocks = [
            block
            for name, course in self.courses.items()
            if name not in self._looked.names
            for block in in_blocks(name, model.parameters[name], self._slots[name], course)
        ]
        self._gradients: dict[str, Array] = {}

    def take(self, gradients: Mapping[str, Array]) -> None:
        self._gradients.update(gradients)

    def looked_up(self, tokens: Ints) -> None:
        self._looked.add(tokens)

    def taken(self) -> None:
        pass

    def square(self) -> float:
        return sum_of_squares(self._looked.parts(self._gradients))

    def update(self, number: int, factor: float, scale: float) -> None:
        update_blocks(self._blocks, self._gradients, number, factor, scale)
        for name in self._looked.names:
            w, slots, gradient = (
                self.model.parameters[name],
                self._slots[name],
                self._gradients[name],
            )
            rows = self._looked.rows(gradient)
            update_rows(w, slots, self.courses[name], gradient, rows, number, factor, scale)
        self._looked = Looked(self._looked.names)
        self._gradients.clear()  # else they would be in memory beside the next ones

    def slots(self) -> dict[str, dict[str, Array]]:
        return named_slots(self._slots)

    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        fill_slots(self._slots, slots)


def alike(model: Captioner) -> dict[str, Course]:
    """All parameters learn by the optimizer of the spec."""
    return dict.fromkeys(model.parameters, Course(model.spec.train.optimizer))


def named_slots(slots: Mapping[str, Slots]) -> dict[str, dict[str, Array]]:
    return {name: dict(named_arrays(own)) for name, own in slots.items()}


def fill_slots(slots: Mapping[str, Slots], kept: Mapping[str, Mapping[str, Array]]) -> None:
    """Copy what was kept into the slots of those parameters.

    Raises:
        CheckpointError: it is not of these optimizers.
    """
    for name, arrays in named_slots(slots).items():
        if name in kept:
            shapes = {key: (a.shape, a.dtype) for key, a in arrays.items()}
            check_slots(name, shapes, kept[name])
            for key, a in arrays.items():
                a[...] = kept[name][key]


def check_slots(name: str, shapes: Mapping[str, object], kept: Mapping[str, Array]) -> None:
    if shapes != {key: (a.shape, a.dtype) for key, a in kept.items()}:
        raise CheckpointError(
            f"the optimizer's slots of {name} are not those of the run; resume it with the same optimizer"
        )
