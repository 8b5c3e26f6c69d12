"""Parameters updated in blocks that stay in the processor's cache, as many at once as there are threads."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from rnnkit.kinds import Array, Optimizer, Slots, map_arrays, named_arrays
from rnnkit.numerics import times
from rnnkit.registry.blame import wrong_return
from rnnkit.registry.returned import array
from rnnkit.system.process import pieces, together

UPDATE_SIZE: Final = 1 << 17
"""Elements that are updated at once: what the optimizer computes on the way stays in the processor's cache."""


@attrs.frozen(eq=False)
class Block:
    """Rows of an array, with the optimizer's slots for them: views that updates go through."""

    name: str
    rows: slice
    w: Array
    slots: Slots


def slots_of(optimizer: Optimizer[Any], w: Array) -> Slots:
    """What an optimizer remembers of a parameter before the first update.

    Raises:
        RegistryError: it returned no slots, or arrays of another shape.
    """
    made: Slots = optimizer.slots(w)
    if not isinstance(made, Slots):
        raise wrong_return(optimizer, "slots", made, "Slots")
    for name, a in named_arrays(made):
        array(optimizer, "slots", a, w.shape, name)
    return made


def in_blocks(name: str, w: Array, slots: Slots, start: int = 0) -> Iterator[Block]:
    """An array in blocks; updates are elementwise, so it may be cut anywhere. Its gradient begins at `start`."""
    rows = max(1, UPDATE_SIZE * len(w) // max(w.size, 1))
    for i in range(0, len(w), rows):
        part = slice(i, min(i + rows, len(w)))
        yield Block(
            name, slice(start + part.start, start + part.stop), w[part], part_of(slots, part)
        )


def part_of(slots: Slots, part: slice) -> Slots:
    """The slots of some rows."""
    return map_arrays(operator.itemgetter(part), slots)


def update_blocks(
    optimizer: Optimizer[Any],
    blocks: Sequence[Block],
    gradients: Mapping[str, Array],
    number: int,
    factor: float,
    scale: float,
) -> None:
    """Update blocks, as many at a time as there are threads."""

    def apply(mine: Sequence[Block]) -> None:
        for b in mine:
            g = gradients[b.name][b.rows]
            optimizer.update(b.w, times(g, scale), b.slots, number, factor)

    shares = pieces(len(blocks), UPDATE_SIZE)
    together([partial(apply, blocks[share]) for share in shares])
