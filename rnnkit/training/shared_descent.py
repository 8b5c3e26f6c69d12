"""Updates by several ranks together, each of its share of the parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Array, named_arrays
from rnnkit.network.model import Captioner
from rnnkit.numerics import sum_of_squares
from rnnkit.parallel import Ranks
from rnnkit.training.blocks import in_blocks, part_of, slots_of, update_blocks
from rnnkit.training.descent import Descent, check_slots

LINE: Final = 64
"""Elements that a parameter's place and a rank's share are multiples of, so that no two share a cache line."""


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
        self._slots = slots_of(self._optimizer, self._of_rank(self._w))
        self._blocks = [
            block
            for s in self._segments
            for block in in_blocks("", self._w[s.share], part_of(self._slots, s.mine), s.mine.start)
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
        update_blocks(self._optimizer, self._blocks, {"": self._share}, number, factor, scale)
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
            check_slots(name, w, self._slots, slots)
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


def _rounded(size: int) -> int:
    """The least multiple of a line that is no smaller."""
    return -(-size // LINE) * LINE
