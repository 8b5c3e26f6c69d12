"""Parameters updated in blocks that stay in the processor's cache, as many at once as there are threads."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from rnnkit.kinds import Array, Optimizer, Slots, map_arrays, named_arrays
from rnnkit.network.groups import Way
from rnnkit.numerics import times
from rnnkit.registry.blame import wrong_return
from rnnkit.registry.returned import array
from rnnkit.system.process import pieces, together

UPDATE_SIZE: Final = 1 << 17
"""Elements that are updated at once: what the optimizer computes on the way stays in the processor's cache."""


@attrs.frozen
class Course(Way):
    """How a parameter learns, and since when.

    Attributes:
        begun: updates of the run before its first one; its own are counted from there.
    """

    begun: int = 0


@attrs.frozen(eq=False)
class Block:
    """Rows of an array, with the optimizer's slots for them: views that updates go through."""

    name: str
    rows: slice
    w: Array
    slots: Slots
    course: Course


def slots_of(optimizer: Optimizer[Any], w: Array) -> Slots:
    """What an optimizer remembers of a parameter before the first update.

    Raises:
        RegistryError: it returned no slots, or arrays of another shape.
    """
    made: Slots = optimizer.slots(w)
    if not isinstance(made, Slots):
        raise wrong_return(optimizer, "slots", made, "Slots")
    for name, a in named_arrays(made) if optimizer.elementwise else ():
        array(optimizer, "slots", a, w.shape, name, w.dtype)
    return made


def in_blocks(name: str, w: Array, slots: Slots, course: Course, start: int = 0) -> Iterator[Block]:
    """An array in blocks, cut anywhere if updates are elementwise. Its gradient begins at `start`."""
    if not course.optimizer.elementwise:
        yield Block(name, slice(start, start + len(w)), w, slots, course)
        return
    for part in cuts(w):
        place = slice(start + part.start, start + part.stop)
        mine = map_arrays(operator.itemgetter(part), slots)
        yield Block(name, place, w[part], mine, course)


def cuts(w: Array) -> Iterator[slice]:
    """Rows of an array that are updated at once."""
    rows = max(1, UPDATE_SIZE * len(w) // max(w.size, 1))
    for i in range(0, len(w), rows):
        yield slice(i, min(i + rows, len(w)))


def update_blocks(
    blocks: Sequence[Block],
    gradients: Mapping[str, Array],
    number: int,
    factor: float,
    scale: float,
) -> None:
    """Update blocks, as many at a time as there are threads."""

    def apply(mine: Sequence[Block]) -> None:
        for b in mine:
            g, c = gradients[b.name][b.rows], b.course
            c.optimizer.update(b.w, times(g, scale), b.slots, number - c.begun, factor * c.factor)

    shares = pieces(len(blocks), UPDATE_SIZE)
    together([partial(apply, blocks[share]) for share in shares])
