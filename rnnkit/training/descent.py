"""What an update changes: parameters, and what the optimizer remembers of them."""

from __future__ import annotations

import abc
from collections.abc import Mapping

from rnnkit.errors import CheckpointError
from rnnkit.kinds import Array, Slots, named_arrays
from rnnkit.network.model import Captioner
from rnnkit.numerics import sum_of_squares
from rnnkit.training.blocks import in_blocks, slots_of, update_blocks


class Descent(abc.ABC):
    """Updates of a model's parameters from gradients.

    Attributes:
        model: with the parameters that are updated in place.
    """

    model: Captioner

    @abc.abstractmethod
    def take(self, gradients: Mapping[str, Array]) -> None:
        """Take gradients of a batch, or of this rank's rows of it, part by part from the end of the network."""

    @abc.abstractmethod
    def taken(self) -> None:
        """All there are have been taken; those of a rank without rows are zero."""

    @abc.abstractmethod
    def square(self) -> float:
        """The sum of squares of this rank's share of the gradient taken."""

    @abc.abstractmethod
    def update(self, number: int, factor: float, scale: float) -> None:
        """Update all parameters, on all ranks.

        Args:
            number: of this update, from 1.
            factor: the schedule's, on the learning rate.
            scale: what the gradient is multiplied by.
        """

    @abc.abstractmethod
    def slots(self) -> dict[str, dict[str, Array]]:
        """Parameter -> slot -> what the optimizer remembers, in the parameter's shape; of ranks, the first has it."""

    @abc.abstractmethod
    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        """Remember this from now on.

        Raises:
            CheckpointError: it is not of this optimizer.
        """


class WholeDescent(Descent):
    """In one process: the parameters where they are."""

    def __init__(self, model: Captioner) -> None:
        """Start with nothing to remember."""
        self.model = model
        self._optimizer = model.spec.train.optimizer
        self._slots = {name: slots_of(self._optimizer, w) for name, w in model.parameters.items()}
        self._blocks = [
            block
            for name, w in model.parameters.items()
            for block in in_blocks(name, w, self._slots[name])
        ]
        self._gradients: dict[str, Array] = {}

    def take(self, gradients: Mapping[str, Array]) -> None:
        self._gradients.update(gradients)

    def taken(self) -> None:
        pass

    def square(self) -> float:
        return sum_of_squares(self._gradients.values())

    def update(self, number: int, factor: float, scale: float) -> None:
        update_blocks(self._optimizer, self._blocks, self._gradients, number, factor, scale)
        self._gradients.clear()  # else they would be in memory beside the next ones

    def slots(self) -> dict[str, dict[str, Array]]:
        return {name: dict(named_arrays(slots)) for name, slots in self._slots.items()}

    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        for name, own in self._slots.items():
            check_slots(name, self.model.parameters[name], own, slots)
            for key, a in named_arrays(own):
                a[...] = slots[name][key]


def check_slots(name: str, w: Array, own: Slots, slots: Mapping[str, Mapping[str, Array]]) -> None:
    kept = slots.get(name, {})
    if {key: (w.shape, a.dtype) for key, a in named_arrays(own)} != {
        key: (a.shape, a.dtype) for key, a in kept.items()
    }:
        raise CheckpointError(
            f"the optimizer's slots of {name} are not those of the run; resume it with the same optimizer"
        )
