"""What a scene is: one or two coloured shapes, and the relation that their centres stand in."""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import attrs

from rnnkit.kinds.arrays import Rng

SIDE = 64  # pixels
GAP = 3.0  # pixels that are free between two objects, along the axis of their relation
MARGIN = 1.0  # pixels between an object and the edge
SLANT = 0.45  # of the distance along the axis, that an object may lie off it
TURN = 8.0  # degrees to either side

SIZES = {"small": (4.3, 5.2), "large": (8.0, 9.2)}  # radius in pixels, from .. to
COLOURS = {
    "red": (215, 40, 40),
    "orange": (245, 135, 25),
    "yellow": (240, 220, 40),
    "green": (45, 165, 65),
    "blue": (45, 90, 220),
    "purple": (145, 55, 190),
}
# How far each shape reaches from its centre, in radii; all have about the area of the circle.
REACH = {"circle": 1.0, "square": 1.26, "triangle": 1.5, "diamond": 1.5, "cross": 1.27, "star": 1.5}


class Relation(enum.Enum):
    """Where one object is as seen from another."""

    LEFT = "left"
    RIGHT = "right"
    ABOVE = "above"
    BELOW = "below"

    @property
    def inverse(self) -> Relation:
        """A is r of B exactly if B is r.inverse of A."""
        return _INVERSE[self]


_INVERSE = {
    Relation.LEFT: Relation.RIGHT,
    Relation.RIGHT: Relation.LEFT,
    Relation.ABOVE: Relation.BELOW,
    Relation.BELOW: Relation.ABOVE,
}


@attrs.frozen(order=True)
class Thing:
    """What can be said of an object by itself."""

    size: str
    colour: str
    shape: str


THINGS = tuple(itertools.starmap(Thing, itertools.product(SIZES, COLOURS, REACH)))


@attrs.frozen
class Object:
    """A thing at its place.

    Attributes:
        x, y: centre in pixels from the left and from the top.
        radius: pixels; of the circle of about the same area.
        turn: degrees, clockwise.
    """

    thing: Thing
    x: float
    y: float
    radius: float
    turn: float


@attrs.frozen
class Scene:
    """One object, or two with a gap between them."""

    objects: tuple[Object, ...]

    @property
    def relation(self) -> Relation | None:
        """Where the first object is as seen from the second; None if there is only one.

        The axis along which they lie further apart decides.
        """
        if len(self.objects) == 1:
            return None
        a, b = self.objects
        if abs(a.x - b.x) > abs(a.y - b.y):
            return Relation.LEFT if a.x < b.x else Relation.RIGHT
        return Relation.ABOVE if a.y < b.y else Relation.BELOW


Combination: TypeAlias = tuple[Thing, ...]
"""The things of a scene, in order, whatever their relation."""


def combination(scene: Scene) -> Combination:
    """What a scene of one split never shares with a scene of the other."""
    return tuple(sorted(o.thing for o in scene.objects))


def split_combinations(rng: Rng, held_out: float) -> tuple[list[Combination], list[Combination]]:
    """All single things and all unordered pairs, dealt out: for train, and the held-out share for val."""
    train: list[Combination] = []
    val: list[Combination] = []
    for count in (1, 2):
        every = list(itertools.combinations_with_replacement(sorted(THINGS), count))
        order = rng.permutation(len(every))
        cut = math.ceil(held_out * len(every))
        val += [every[i] for i in order[:cut]]
        train += [every[i] for i in order[cut:]]
    return train, val


def random_scenes(
    n: int, combinations: Sequence[Combination], single: float, rng: Rng
) -> Iterator[Scene]:
    """n scenes of these combinations, of which about the share `single` with one object only."""
    alone = [c for c in combinations if len(c) == 1]
    pairs = [c for c in combinations if len(c) == 2]
    for _ in range(n):
        choice = alone if rng.random() < single else pairs
        things = choice[rng.integers(len(choice))]
        yield _place([things[i] for i in rng.permutation(len(things))], rng)


def _place(things: Sequence[Thing], rng: Rng) -> Scene:
    """Things at random places, so that the relation is plain and nothing touches."""
    radii = [rng.uniform(*SIZES[t.size]) for t in things]
    reach = [r * REACH[t.shape] for r, t in zip(radii, things, strict=True)]
    low = [r + MARGIN for r in reach]
    high = [SIDE - r - MARGIN for r in reach]
    if len(things) == 1:
        along, across = [rng.uniform(low[0], high[0])], [rng.uniform(low[0], high[0])]
    else:
        distance = rng.uniform(sum(reach) + GAP, high[1] - low[0])
        first = rng.uniform(low[0], high[1] - distance)
        along = [first, first + distance]
        across = [rng.uniform(low[0], high[0])]
        slant = SLANT * distance
        across.append(rng.uniform(max(low[1], across[0] - slant), min(high[1], across[0] + slant)))
    xs, ys = (along, across) if rng.random() < 0.5 else (across, along)
    return Scene(
        tuple(
            Object(t, round(x, 2), round(y, 2), round(r, 2), round(rng.uniform(-TURN, TURN), 1))
            for t, x, y, r in zip(things, xs, ys, radii, strict=True)
        )
    )
