"""Kinks: at one there is no derivative, and its slopes to either side say how far a gradient may be off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.example import Example, Leaves, copied

SIDE: Final = 1e-6
"""First step width for the slopes to either side of a point: what is farther away is no kink at the point."""
PARTS: Final = 16
"""Pieces of a direction whose kinks are looked at one by one: in few of them, kinks could cancel each other."""
SMOOTH: Final = 1e-6
"""The difference of two such slopes, relative to their scale, that needs no kink."""


def kink(example: Example, cotangents: Leaves, direction: Leaves) -> float:
    """How far a gradient may be off at a point where slopes to either side are apart; 0 where all is smooth.

    Many elements may each have a kink, as where all inputs of a relu are 0, and a gradient may take the one slope here
    and the other there. So the gaps of the direction's parts and of all outputs are added up, each by its size.
    """
    if not _jump(example, cotangents, direction):
        return 0.0
    # A kink that is not quite at the point shows in part.
    return 2.0 * sum(_jump(example, cotangents, part) for part in _parts(direction))


def _parts(direction: Leaves) -> Iterator[Leaves]:
    """A direction in PARTS pieces that add up to it, each of neighbouring elements."""
    ends = np.cumsum([v.size for v in direction.values()])
    flat = np.concatenate([np.ravel(v) for v in direction.values()])
    for chosen in np.array_split(np.arange(flat.size), min(PARTS, flat.size)):
        part = np.zeros_like(flat)
        part[chosen] = flat[chosen]
        pieces = np.split(part, ends[:-1])
        yield {
            name: piece.reshape(v.shape)
            for (name, v), piece in zip(direction.items(), pieces, strict=True)
        }


def _jump(example: Example, cotangents: Leaves, direction: Leaves) -> float:
    """How far the slopes to either side of the point are apart, over all outputs; 0 if rounding explains it."""

    def change(t: float) -> Array:
        moved = copied(example.leaves)
        for name, v in direction.items():
            moved[name] += t * v
        outputs, _ = example.forward(moved)
        terms = [np.ravel(c * (outputs[k] - here[k])) for k, c in cotangents.items()]
        joined: Array = np.concatenate(terms)
        return joined

    def one_sided(h: float) -> Array:
        """Extrapolated from h, h / 2 and h / 4 to the order h^3."""
        a, b, c = (change(h / part) * part / h for part in (1, 2, 4))
        slopes: Array = (a - 6.0 * b + 8.0 * c) / 3.0
        return slopes

    here = copied(example.forward(copied(example.leaves))[0])
    above, below = one_sided(SIDE), one_sided(-SIDE)
    gap = float(np.sum(np.abs(above - below)))
    return gap if gap > SMOOTH * float(np.sum(np.abs(above) + np.abs(below))) else 0.0
