"""Gradients of what was read at indices, put where it was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from rnnkit.tracing.building import Builder
from rnnkit.tracing.graph import Node
from rnnkit.tracing.operations import Operand
from rnnkit.tracing.sizes import Size


@attrs.frozen
class Contribution:
    """A part of a node's gradient: of all of it, or of what is read at an index.

    Attributes:
        d: the gradient of what is read.
        index: at which; None for all.
        arrays: in the index.
    """

    d: Node
    index: tuple[Any, ...] | None = None
    arrays: tuple[Node, ...] = ()


def placed(builder: Builder, node: Node, parts: Sequence[Contribution]) -> list[Node]:
    """The gradients of what was read at indices, in the shape of the node."""
    joined = _joined(builder, node, parts)
    if joined is not None:
        return [joined]
    return [_put(builder, node, part) for part in parts]


def _put(builder: Builder, node: Node, part: Contribution) -> Node:
    index = part.index
    assert index is not None
    if not part.arrays:
        turned = _unread(builder, node, part.d, index)
        if turned is not None:
            return turned
    zeros = _zeros(builder, node.shape)
    if not part.arrays:
        return builder.make("setitem", zeros, part.d, index=index)
    moved = tuple(Operand(p.input + 1) if isinstance(p, Operand) else p for p in index)
    return builder.make("add_at", zeros, part.d, *part.arrays, index=moved)


def _zeros(builder: Builder, shape: tuple[int | Size, ...]) -> Node:
    return builder.make("full", 0.0, shape=shape, dtype=np.dtype(np.float64))


def _unread(builder: Builder, node: Node, d: Node, index: tuple[Any, ...]) -> Node | None:
    """Where reading only dropped or added axes of length 1: the same the other way."""
    back: list[Any] = []
    axis = 0
    for part in index:
        if part is None:
            back.append(0)
            continue
        if part == slice(None):
            back.append(slice(None))
        elif isinstance(part, int) and node.shape[axis] == 1:
            back.append(None)
        else:
            return None
        axis += 1
    return builder.make("getitem", d, index=tuple(back))


def _joined(builder: Builder, node: Node, parts: Sequence[Contribution]) -> Node | None:
    """What was read side by side along one axis, joined along it, with zeros where nothing was read."""
    spans = [_span(builder, node, part) for part in parts]
    if not spans or any(s is None for s in spans):
        return None
    found = [s for s in spans if s is not None]
    if len({axis for axis, *_ in found}) > 1:
        return None
    axis = found[0][0]
    by_start: dict[Any, tuple[list[int], list[int], Node]] = {}
    for _, start, stop, d in found:
        key = tuple(start)
        if key in by_start:
            if by_start[key][1] != stop:
                return None
            d = builder.make("add", by_start[key][2], d)
        by_start[key] = (start, stop, d)
    ordered = [by_start[key] for key in sorted(by_start)]
    pieces: list[Node] = []
    at = [0] * len(node.values)
    end = [np.shape(v)[axis] for v in node.values]
    for start, stop, d in [*ordered, (end, end, node)]:
        if any(s < a for s, a in zip(start, at, strict=True)):
            return None
        if start != at:
            shape = list(node.shape)
            shape[axis] = builder.length([s - a for s, a in zip(start, at, strict=True)])
            pieces.append(_zeros(builder, tuple(shape)))
        if d is not node:
            pieces.append(d)
        at = stop
    return builder.make("concatenate", *pieces, axis=axis)


def _span(
    builder: Builder, node: Node, part: Contribution
) -> tuple[int, list[int], list[int], Node] | None:
    """The axis that an index takes a piece of, where that begins and ends at each size, and its gradient."""
    if part.arrays or part.index is None or None in part.index:
        return None
    cut = [i for i, p in enumerate(part.index) if p != slice(None)]
    if len(cut) != 1:
        return None
    (axis,) = cut
    piece, d = part.index[axis], part.d
    if isinstance(piece, slice):
        if piece.step is not None:
            return None
        return axis, builder.lengths(piece.start), builder.lengths(piece.stop), d
    index = [slice(None)] * len(d.shape)
    index.insert(axis, None)  # type: ignore[arg-type]  # a new axis
    start = builder.lengths(piece)
    wide = builder.make("getitem", d, index=tuple(index))
    return axis, start, [s + 1 for s in start], wide
