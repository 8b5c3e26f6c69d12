"""What an update changes: parameters, and what the optimizer remembers of them; of several ranks, each its share."""

from __future__ import annotations

import abc
import operator
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.errors import CheckpointError
from rnnkit.kinds import Array, Optimizer, Slots, map_arrays, named_arrays
from rnnkit.model import Captioner
from rnnkit.parallel import Ranks
from rnnkit.process import pieces, together

UPDATE_SIZE: Final = 1 << 17
"""Elements that are updated at once: what the optimizer computes on the way stays in the processor's cache."""

LINE: Final = 64
"""Elements that a parameter's place and a rank's share are multiples of, so that no two share a cache line."""


class Descent(abc.ABC):
    """Updates of a model's parameters from gradients.

    Attributes:
        model: with the parameters that are updated in place.
    """

    model: Captioner

    @abc.abstractmethod
    def take(self, gradients: Mapping[str, Array]) -> None:
        """Take the gradient of a batch, or of this rank's rows of it; none of a rank without rows."""

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
        self._slots = {name: self._optimizer.slots(w) for name, w in model.parameters.items()}
        self._blocks = [
            block
            for name, w in model.parameters.items()
            for block in _blocks(name, w, self._slots[name])
        ]
        self._gradients: Mapping[str, Array] = {}

    def take(self, gradients: Mapping[str, Array]) -> None:
        self._gradients = gradients

    def square(self) -> float:
        return sum(float(np.vdot(g, g)) for g in self._gradients.values())

    def update(self, number: int, factor: float, scale: float) -> None:
        _update(self._optimizer, self._blocks, self._gradients, number, factor, scale)

    def slots(self) -> dict[str, dict[str, Array]]:
        return {name: dict(named_arrays(slots)) for name, slots in self._slots.items()}

    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        for name, own in self._slots.items():
            _check(name, self.model.parameters[name], own, slots)
            for key, a in named_arrays(own):
                a[...] = slots[name][key]


class SharedDescent(Descent):
    """In several ranks: all parameters side by side in one buffer, of which each rank updates a part.

        g   = sum over ranks of the gradient of their rows, of which each gets its share
        w_r = the optimizer's update of rank r's share of w, from its share of g and of the slots
        w   = w_0, .., w_(R-1), for all

    as much to send as the sum of g for all would be, but for 1/R of the work and of the slots (Rajbhandari, Rasley,
    Ruwase & He, "ZeRO: memory optimizations toward training trillion parameter models", 2020, section 5).
    Every parameter is computed in one place, so that all ranks have the same bits.
    """

    def __init__(self, model: Captioner, ranks: Ranks) -> None:
        """Start from the first rank's parameters, with nothing to remember.

        `model` stays as it is: the parameters of the other, `self.model`, are views of the buffer.
        """
        self._ranks = ranks
        self._optimizer = model.spec.train.optimizer
        self._shapes = {name: w.shape for name, w in model.parameters.items()}
        sizes = [_rounded(w.size, LINE) for w in model.parameters.values()]
        self._ends = np.cumsum(sizes)
        size = _rounded(int(self._ends[-1]), LINE * ranks.size)
        share = size // ranks.size
        mine = slice(ranks.rank * share, (ranks.rank + 1) * share)
        self._mine = mine
        self._w, self._g = np.zeros(size, model.dtype), np.zeros(size, model.dtype)
        self._share = np.zeros(share, model.dtype)
        for name, view in self._named(self._w).items():
            view[...] = model.parameters[name]
        ranks.copy(self._w)
        self.model = model.with_parameters(self._named(self._w))
        self._slots = self._optimizer.slots(self._w[mine])
        self._blocks = list(_blocks("", self._w[mine], self._slots))
        self._views = self._named(self._g)

    def take(self, gradients: Mapping[str, Array]) -> None:
        if not gradients:
            self._g.fill(0.0)
        for name, gradient in gradients.items():
            self._views[name][...] = gradient
        self._ranks.sum_shares(self._g, self._share)

    def square(self) -> float:
        return float(np.vdot(self._share, self._share))

    def update(self, number: int, factor: float, scale: float) -> None:
        _update(self._optimizer, self._blocks, {"": self._share}, number, factor, scale)
        self._ranks.join_shares(self._w)

    def slots(self) -> dict[str, dict[str, Array]]:
        found: dict[str, dict[str, Array]] = {}
        for key, a in named_arrays(self._slots):
            whole = np.empty(0 if self._ranks.rank else len(self._w), a.dtype)
            self._ranks.collect(a, whole)
            if not self._ranks.rank:
                for name, view in self._named(whole).items():
                    found.setdefault(name, {})[key] = view
        return found

    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        for name, w in self.model.parameters.items():
            _check(name, w, self._slots, slots)
        for key, a in named_arrays(self._slots):
            whole = np.zeros(len(self._w), a.dtype)
            for name, view in self._named(whole).items():
                view[...] = slots[name][key]
            a[...] = whole[self._mine]

    def _named(self, buffer: Array) -> dict[str, Array]:
        """Each parameter's place in a buffer."""
        starts = [0, *self._ends[:-1].tolist()]
        return {
            name: buffer[start : start + int(np.prod(shape))].reshape(shape)
            for start, (name, shape) in zip(starts, self._shapes.items(), strict=True)
        }


def descent(model: Captioner, ranks: Ranks) -> Descent:
    """Updates by one rank, or by several together."""
    return WholeDescent(model) if ranks.size == 1 else SharedDescent(model, ranks)


@attrs.frozen(eq=False)
class _Block:
    """Rows of an array, with the optimizer's slots for them: views that updates go through."""

    name: str
    rows: slice
    w: Array
    slots: Slots


def _blocks(name: str, w: Array, slots: Slots) -> Iterator[_Block]:
    """An array in blocks; updates are elementwise, so it may be cut anywhere."""
    rows = max(1, UPDATE_SIZE * len(w) // max(w.size, 1))
    for i in range(0, len(w), rows):
        part = slice(i, i + rows)
        yield _Block(name, part, w[part], map_arrays(operator.itemgetter(part), slots))


def _update(
    optimizer: Optimizer[Any],
    blocks: Sequence[_Block],
    gradients: Mapping[str, Array],
    number: int,
    factor: float,
    scale: float,
) -> None:
    """Update blocks, as many at a time as there are threads."""

    def apply(mine: Sequence[_Block]) -> None:
        for b in mine:
            g = gradients[b.name][b.rows]
            optimizer.update(
                b.w, g if scale == 1.0 else g * g.dtype.type(scale), b.slots, number, factor
            )

    shares = pieces(len(blocks), UPDATE_SIZE)
    together([partial(apply, blocks[share]) for share in shares])


def _check(name: str, w: Array, own: Slots, slots: Mapping[str, Mapping[str, Array]]) -> None:
    kept = slots.get(name, {})
    if {key: (w.shape, a.dtype) for key, a in named_arrays(own)} != {
        key: (a.shape, a.dtype) for key, a in kept.items()
    }:
        raise CheckpointError(
            f"the optimizer does not remember of {name} what that of the run did; resume it with the same "
            "optimizer"
        )


def _rounded(size: int, multiple: int) -> int:
    """The least multiple that is no smaller."""
    return -(-size // multiple) * multiple
