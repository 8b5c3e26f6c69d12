"""Updates by several ranks together, each of its share of the parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Slots, named_arrays
from rnnkit.network.model import Captioner
from rnnkit.numerics import sum_of_squares
from rnnkit.parallel import Ranks
from rnnkit.training.blocks import Course, in_blocks, slots_of, update_blocks
from rnnkit.training.descent import Descent, alike, check_slots

LINE: Final = 64
"""Elements that a parameter's place and a rank's share are multiples of, so that no two share a cache line."""


class SharedDescent(Descent):
    """In several ranks: all parameters that learn side by side in one buffer, of which each rank updates a part.

        g_r = the sum over ranks of the gradients of their rows, rank r's share
        w_r = the optimizer's update of rank r's share of w, from g_r and its slots
        w   = w_0, .., w_(R-1), for all

    As much is sent as if all had the sum of g, but each does 1/R of the work and has 1/R of the slots (Rajbhandari,
    Rasley, Ruwase & He, "ZeRO: memory optimizations toward training trillion parameter models", 2020, section 5).
    Every parameter is computed in one place, so that all ranks have the same bits.

    The head, each recurrent layer, and what is before them, are a segment of the buffer each. The gradients of one
    can be on their way while the backward pass goes on to the one before.
    """

    def __init__(
        self, model: Captioner, ranks: Ranks, courses: Mapping[str, Course] | None = None
    ) -> None:
        """Start from the first rank's parameters, with nothing to remember; all learn alike if left open.

        `model` stays as it is: the parameters of the other, `self.model`, are views of the buffer, but for frozen ones,
        which are copies.
        """
        self._ranks = ranks
        self._optimizer = model.spec.train.optimizer
        self.courses = alike(model) if courses is None else courses
        learning = {name: model.parameters[name] for name in self.courses}
        frozen = {n: w.copy() for n, w in model.parameters.items() if n not in self.courses}
        shapes: dict[str, dict[str, tuple[int, ...]]] = {}
        for name, w in learning.items():
            shapes.setdefault(_segment(name), {})[name] = w.shape
        self._segments, whole, mine = [], 0, 0
        for own in shapes.values():
            segment = _Segment.of(own, ranks, whole, mine)
            self._segments.append(segment)
            whole, mine = segment.whole.stop, segment.mine.stop
        self._w, self._g = np.zeros(whole, model.dtype), np.zeros(whole, model.dtype)
        self._share = np.zeros(mine, model.dtype)
        views = self._named(self._w)
        for name, w in learning.items():
            views[name][...] = w
        ranks.copy(self._w)
        for w in frozen.values():
            ranks.copy(w)
        self.model = model.with_parameters(views | frozen)
        self._pieces = [piece for s in self._segments for piece in s.pieces()]
        self._slots = [
            slots_of(self.courses[p.name].optimizer, self._w[p.whole]) for p in self._pieces
        ]
        self._blocks = [
            block
            for p, slots in zip(self._pieces, self._slots, strict=True)
            for block in in_blocks("", self._w[p.whole], slots, self.courses[p.name], p.mine.start)
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
        return sum_of_squares([self._share])

    def update(self, number: int, factor: float, scale: float) -> None:
        update_blocks(self._blocks, {"": self._share}, number, factor, scale)
        for s in self._segments:
            self._ranks.join_shares(self._w[s.whole])

    def slots(self) -> dict[str, dict[str, Array]]:
        found: dict[str, dict[str, Array]] = {}
        for key, dtype in self._keys.items():
            share, whole = np.zeros_like(self._share, dtype), np.zeros_like(self._w, dtype)
            for p, slots in zip(self._pieces, self._slots, strict=True):
                share[p.mine] = dict(named_arrays(slots))[key]
            for s in self._segments:
                self._ranks.collect(share[s.mine], whole[s.whole])
            for name, view in self._named(whole).items():
                found.setdefault(name, {})[key] = view
        return found

    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        for name in slots.keys() & self.courses.keys():
            shape = self.model.parameters[name].shape
            check_slots(name, {k: (shape, dtype) for k, dtype in self._keys.items()}, slots[name])
        for key, dtype in self._keys.items():
            whole = np.zeros_like(self._w, dtype)
            for name, view in self._named(whole).items():
                if name in slots:
                    view[...] = slots[name][key]
            for p, own in zip(self._pieces, self._slots, strict=True):
                if p.name in slots:
                    dict(named_arrays(own))[key][...] = whole[p.whole]

    @property
    def _keys(self) -> dict[str, DType]:
        """Each slot of an array with its type."""
        slots: Slots = self._optimizer.slots(self._w[:1])
        return {key: a.dtype for key, a in named_arrays(slots)}

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


@attrs.frozen
class _Piece:
    """What a rank updates of one parameter.

    Attributes:
        name: of the parameter.
        whole: where the piece is in a buffer.
        mine: where it is among all of this rank's.
    """

    name: str
    whole: slice
    mine: slice


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
        for name, place in self._places():
            yield name, buffer[place].reshape(self.shapes[name])

    def pieces(self) -> Iterator[_Piece]:
        """What this rank has of its parameters."""
        for name, place in self._places():
            start, stop = max(place.start, self.share.start), min(place.stop, self.share.stop)
            shift = self.mine.start - self.share.start
            if start < stop:
                yield _Piece(name, slice(start, stop), slice(start + shift, stop + shift))

    def _places(self) -> Iterator[tuple[str, slice]]:
        start = self.whole.start
        for name, shape in self.shapes.items():
            size = math.prod(shape)
            yield name, slice(start, start + size)
            start += _rounded(size)


def _segment(name: str) -> str:
    """What of the network a parameter is of: head, one of the recurrent layers, or what is before them."""
    part, number, *_ = name.split(".")
    return f"{part}.{number}" if part == "rnn" else part if part == "head" else ""


def _rounded(size: int) -> int:
    """The least multiple of a line that is no smaller."""
    return -(-size // LINE) * LINE
