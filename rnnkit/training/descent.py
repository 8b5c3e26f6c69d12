"""What an update changes: parameters, and what the optimizer remembers of them; of several ranks, each its share."""

from __future__ import annotations

import abc
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.errors import CheckpointError
from rnnkit.kinds import Array, Optimizer, Slots, map_arrays, named_arrays
from rnnkit.network.model import Captioner
from rnnkit.parallel import Ranks
from rnnkit.system.process import pieces, together

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
        self._slots = {name: self._optimizer.slots(w) for name, w in model.parameters.items()}
        self._blocks = [
            block
            for name, w in model.parameters.items()
            for block in _blocks(name, w, self._slots[name])
        ]
        self._gradients: dict[str, Array] = {}

    def take(self, gradients: Mapping[str, Array]) -> None:
        self._gradients.update(gradients)

    def taken(self) -> None:
        pass

    def square(self) -> float:
        return sum(float(np.vdot(g, g)) for g in self._gradients.values())

    def update(self, number: int, factor: float, scale: float) -> None:
        _update(self._optimizer, self._blocks, self._gradients, number, factor, scale)
        self._gradients.clear()  # else they would be in memory beside the next ones

    def slots(self) -> dict[str, dict[str, Array]]:
        return {name: dict(named_arrays(slots)) for name, slots in self._slots.items()}

    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        for name, own in self._slots.items():
            _check(name, self.model.parameters[name], own, slots)
            for key, a in named_arrays(own):
                a[...] = slots[name][key]


class SharedDescent(Descent):
    """In several ranks: all parameters side by side in one buffer, of which each rank updates a part.

        g_r = the sum over ranks of the gradients of their rows, rank r's share
        w_r = the optimizer's update of rank r's share of w, from g_r and its slots
        w   = w_0, .., w_(R-1), for all

    As much is sent as if all had the sum of g, but each does 1/R of the work and has 1/R of the slots (Rajbhandari,
    Rasley, Ruwase & He, "ZeRO: memory optimizations toward training trillion parameter models", 2020, section 5).
    Every parameter is computed in one place, so that all ranks have the same bits.

    The head, each recurrent layer, and what is before them, are a segment of the buffer each. The gradients of one
    can be on their way while the backward pass goes on to the one before.
    """

    def __init__(self, model: Captioner, ranks: Ranks) -> None:
        """Start from the first rank's parameters, with nothing to remember.

        `model` stays as it is: the parameters of the other, `self.model`, are views of the buffer.
        """
        self._ranks = ranks
        self._optimizer = model.spec.train.optimizer
        shapes: dict[str, dict[str, tuple[int, ...]]] = {}
        for name, w in model.parameters.items():
            shapes.setdefault(_segment(name), {})[name] = w.shape
        self._segments, whole, mine = [], 0, 0
        for own in shapes.values():
            segment = _Segment.of(own, ranks, whole, mine)
            self._segments.append(segment)
            whole, mine = segment.whole.stop, segment.mine.stop
        self._w, self._g = np.zeros(whole, model.dtype), np.zeros(whole, model.dtype)
        self._share = np.zeros(mine, model.dtype)
        views = self._named(self._w)
        for name, w in model.parameters.items():
            views[name][...] = w
        ranks.copy(self._w)
        self.model = model.with_parameters(views)
        self._slots = self._optimizer.slots(self._of_rank(self._w))
        self._blocks = [
            block
            for s in self._segments
            for block in _blocks("", self._w[s.share], _part(self._slots, s.mine), s.mine.start)
        ]
        self._views = self._named(self._g)
        self._under_way: list[Callable[[], None]] = []
        self._missing: set[str] = set(self._views)

    def take(self, gradients: Mapping[str, Array]) -> None:
        for name, gradient in gradients.items():
            self._views[name][...] = gradient
        self._missing.difference_update(gradients)
        self._send()

    def taken(self) -> None:
        for name in self._missing:
            self._views[name].fill(0.0)
        self._missing = set()
        self._send()
        for wait in self._under_way:
            wait()
        self._under_way, self._missing = [], set(self._views)

    def square(self) -> float:
        return float(np.vdot(self._share, self._share))

    def update(self, number: int, factor: float, scale: float) -> None:
        _update(self._optimizer, self._blocks, {"": self._share}, number, factor, scale)
        for s in self._segments:
            self._ranks.join_shares(self._w[s.whole])

    def slots(self) -> dict[str, dict[str, Array]]:
        found: dict[str, dict[str, Array]] = {}
        for key, a in named_arrays(self._slots):
            whole = np.empty_like(self._w, a.dtype)
            for s in self._segments:
                self._ranks.collect(a[s.mine], whole[s.whole])
            for name, view in self._named(whole).items():
                found.setdefault(name, {})[key] = view
        return found

    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        for name, w in self.model.parameters.items():
            _check(name, w, self._slots, slots)
        for key, a in named_arrays(self._slots):
            whole = np.zeros_like(self._w, a.dtype)
            for name, view in self._named(whole).items():
                view[...] = slots[name][key]
            a[...] = self._of_rank(whole)

    def _send(self) -> None:
        """Begin with what is whole, from the end of the network: all ranks in the same order."""
        waiting = self._segments[: len(self._segments) - len(self._under_way)]
        for s in reversed(waiting):
            if not self._missing.isdisjoint(s.shapes):
                return
            self._under_way.append(self._ranks.sum_shares(self._g[s.whole], self._share[s.mine]))

    def _named(self, buffer: Array) -> dict[str, Array]:
        """Each parameter's place in a buffer."""
        return {name: view for s in self._segments for name, view in s.views(buffer)}

    def _of_rank(self, buffer: Array) -> Array:
        """This rank's share of a buffer."""
        return np.concatenate([buffer[s.share] for s in self._segments])


@attrs.frozen(eq=False)
class _Segment:
    """A part of the network in a buffer.

    Attributes:
        shapes: of its parameters, by name.
        whole: where it is in a buffer.
        share: this rank's share of that.
        mine: where that share is among all of this rank's.
    """

    shapes: Mapping[str, tuple[int, ...]]
    whole: slice
    share: slice
    mine: slice

    @staticmethod
    def of(shapes: Mapping[str, tuple[int, ...]], ranks: Ranks, whole: int, mine: int) -> _Segment:
        """The segment that begins at these places."""
        size = sum(_rounded(math.prod(shape)) for shape in shapes.values())
        share = _rounded(-(-size // ranks.size))
        start = whole + ranks.share * share
        return _Segment(
            shapes,
            slice(whole, whole + ranks.size * share),
            slice(start, start + share),
            slice(mine, mine + share),
        )

    def views(self, buffer: Array) -> Iterator[tuple[str, Array]]:
        """Its parameters' places in a buffer."""
        start = self.whole.start
        for name, shape in self.shapes.items():
            size = math.prod(shape)
            yield name, buffer[start : start + size].reshape(shape)
            start += _rounded(size)


def _segment(name: str) -> str:
    """What of the network a parameter is of: head, one of the recurrent layers, or what is before them."""
    part, number, *_ = name.split(".")
    return f"{part}.{number}" if part == "rnn" else part if part == "head" else ""


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


def _blocks(name: str, w: Array, slots: Slots, start: int = 0) -> Iterator[_Block]:
    """An array in blocks; updates are elementwise, so it may be cut anywhere. Its gradient begins at `start`."""
    rows = max(1, UPDATE_SIZE * len(w) // max(w.size, 1))
    for i in range(0, len(w), rows):
        part = slice(i, min(i + rows, len(w)))
        yield _Block(
            name, slice(start + part.start, start + part.stop), w[part], _part(slots, part)
        )


def _part(slots: Slots, part: slice) -> Slots:
    return map_arrays(operator.itemgetter(part), slots)


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


def _rounded(size: int) -> int:
    """The least multiple of a line that is no smaller."""
    return -(-size // LINE) * LINE
