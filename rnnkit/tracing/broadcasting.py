"""What broadcasting repeats, and the sums that undo it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from rnnkit.tracing.graph import Node
from rnnkit.tracing.sizes import Size
from rnnkit.tracing.terms import Make

Shape: TypeAlias = tuple[int | Size, ...]


def broadcast(make: Make, d: Node, shape: Shape) -> Node:
    """d repeated to a shape."""
    return d if d.shape == shape else make("broadcast_to", d, shape=shape)


def unbroadcast(make: Make, d: Node, shape: Shape, wanted: Shape) -> Node:
    """d summed over what a `wanted` array is repeated along when it becomes one of this shape.

    Args:
        make: makes nodes.
        d: of this shape, or one that broadcasts to it.
        shape: of the result that the array took part in.
        wanted: the shape of the array; the result may still have to be broadcast to it.
    """
    ahead = len(shape) - len(wanted)
    repeated = list(range(ahead))
    repeated += [i + ahead for i, n in enumerate(wanted) if n == 1 and shape[i + ahead] != 1]
    if not repeated:
        return d
    missing = len(shape) - len(d.shape)
    if any(shape[i] != 1 and (i < missing or d.shape[i - missing] == 1) for i in repeated):
        d, missing = broadcast(make, d, shape), 0
    elif missing > ahead:
        repeated, ahead, missing = repeated[ahead:], 0, missing - ahead
    front = range(max(0, ahead - missing))
    if front:
        d = make("sum", d, axis=_axis(front), keepdims=False)
    inside = [i - ahead for i in repeated if i >= ahead]
    return make("sum", d, axis=_axis(inside), keepdims=True) if inside else d


def _axis(axes: Sequence[int]) -> Any:
    return axes[0] if len(axes) == 1 else tuple(axes)
