"""What a scene is: one or two coloured shapes, and the relation that their centres stand in."""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import attrs
from attrs.validators import in_, max_len, min_len

from rnnkit.kinds.arrays import Rng

SIDE = 64  # of a picture, in pixels
GAP = 5.0  # free pixels between two objects, along the axis of their relation
MARGIN = 1.0  # free pixels between an object and the edge of the picture
SLANT = 0.45  # how far objects may lie apart on the other axis, at most, by their distance along this one
TURN = 8.0  # degrees, to either side

SIZES = {"small": (4.3, 5.2), "large": (8.0, 9.2)}  # radius in pixels, from and to
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

    size: str = attrs.field(validator=in_(SIZES))
    colour: str = attrs.field(validator=in_(COLOURS))
    shape: str = attrs.field(validator=in_(REACH))


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
    """One object, or two with a gap between them; of two, the left or the upper one is the first."""

    objects: tuple[Object, ...] = attrs.field(validator=[min_len(1), max_len(2)])

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
"""The things of a scene, sorted."""


def combination(scene: Scene) -> Combination:
    """What the scenes of one split never have in common with those of the other."""
    return tuple(sorted(o.thing for o in scene.objects))


def split_combinations(rng: Rng, held_out: float) -> tuple[list[Combination], list[Combination]]:
    """All single things and all pairs of things, dealt out to train and, a share of them, to val.

    A pair goes to one split whatever the relation, so that a scene of val shows what train never showed.
    """
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
    n: int, combinations: Sequence[Combination], alone: float, rng: Rng
) -> Iterator[Scene]:
    """n scenes of these combinations; about the share `alone` of them has one object only."""
    singles = [c for c in combinations if len(c) == 1]
    pairs = [c for c in combinations if len(c) == 2]
    for _ in range(n):
        choice = singles if rng.random() < alone else pairs
        things = choice[rng.integers(len(choice))]
        yield _place([things[i] for i in rng.permutation(len(things))], rng)


def _place(things: Sequence[Thing], rng: Rng) -> Scene:
    """Things at random places, with a plain relation: far enough apart, and along one axis."""
    radii = [rng.uniform(*SIZES[t.size]) for t in things]
    reach = [r * REACH[t.shape] for r, t in zip(radii, things, strict=True)]
    low = [r + MARGIN for r in reach]
    high = [SIDE - r - MARGIN for r in reach]
    across = [rng.uniform(low[0], high[0])]
    if len(things) == 1:
        along = [rng.uniform(low[0], high[0])]
    else:
        distance = rng.uniform(sum(reach) + GAP, high[1] - low[0])
        first = rng.uniform(low[0], high[1] - distance)
        along = [first, first + distance]
        aside = across[0] + distance * rng.uniform(-SLANT, SLANT)
        across.append(min(max(aside, low[1]), high[1]))
    xs, ys = (along, across) if rng.random() < 0.5 else (across, along)
    return Scene(
        tuple(
            Object(t, round(x, 2), round(y, 2), round(r, 2), round(rng.uniform(-TURN, TURN), 1))
            for t, x, y, r in zip(things, xs, ys, radii, strict=True)
        )
    )
