"""x[index], and x with other values there, in ONNX's standard operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.captioning.exporting.onnx.arrays import Emit
from rnnkit.captioning.exporting.onnx.scope import FIRST, LAST, kind_of
from rnnkit.captioning.exporting.onnx.values import Values
from rnnkit.tracing import Node, Operand, Size

ALL: Final = slice(None)


@attrs.frozen
class Selected:
    """An array on its way through an index."""

    name: str
    shape: tuple[int | Size, ...]


def getitem(v: Values, node: Node) -> str:
    x = Selected(v.name(node.inputs[0]), node.inputs[0].shape)
    parts = _spelled(node.attributes["index"], len(x.shape))
    if not any(isinstance(part, Operand) for part in parts):
        return _basic(v, x, parts)
    grown = [k for k, part in enumerate(parts) if part is None]
    x = _grown(v, x, grown)
    parts = [ALL if part is None else part for part in parts]
    slices = [part if isinstance(part, slice) else ALL for part in parts]
    axes = [k for k, part in enumerate(parts) if not isinstance(part, slice)]
    x = Selected(_basic(v, x, slices), x.shape)
    if len(axes) == 1:
        return v.scope.op("Gather", x.name, _index(v, node, parts[axes[0]]), axis=axes[0])
    return _gathered(v, node, x, parts, axes)


def _gathered(v: Values, node: Node, x: Selected, parts: Sequence[Any], axes: Sequence[int]) -> str:
    """Several axes indexed at once: NumPy puts what they give where they stand together, or else in front."""
    s, rank = v.scope, len(x.shape)
    others = [k for k in range(rank) if k not in axes]
    x_first = s.op("Transpose", x.name, perm=[*axes, *others])
    indices, shape = _together(v, node, [parts[k] for k in axes])
    found = s.op("GatherND", x_first, indices)
    adjacent = list(axes) == list(range(axes[0], axes[-1] + 1))
    if not adjacent or axes[0] == 0:
        return found
    before, wide = axes[0], len(shape)
    perm = [*range(wide, wide + before), *range(wide), *range(wide + before, wide + len(others))]
    return s.op("Transpose", found, perm=perm)


def _together(v: Values, node: Node, parts: Sequence[Any]) -> tuple[str, tuple[int | Size, ...]]:
    """Index arrays, broadcast to one shape, as tuples of a last axis; and that shape."""
    shapes = [node.inputs[p.input].shape if isinstance(p, Operand) else () for p in parts]
    rank = max(map(len, shapes))
    shape = tuple(
        next((n for n in sizes if n != 1), 1)
        for sizes in zip(*((*(1,) * (rank - len(s)), *s) for s in shapes), strict=True)
    )
    wanted, last = v.vector(shape), v.scope.const(np.array([-1]))
    columns = [v.scope.op("Expand", _index(v, node, part), wanted) for part in parts]
    return v.scope.op(
        "Concat", *(v.scope.op("Unsqueeze", c, last) for c in columns), axis=-1
    ), shape


def setitem(v: Values, node: Node) -> str:
    x, value = node.inputs[0], node.inputs[1]
    kind = kind_of(node.dtype)
    target = Selected(v.name(x, kind), x.shape)
    parts = _spelled(node.attributes["index"], len(x.shape))
    arrays = [part for part in parts if isinstance(part, Operand)]
    if not arrays and None not in parts:
        return _put(v, node, target, parts, v.name(value, kind), value.shape)
    first = parts[0]
    if isinstance(first, Operand) and all(p == ALL for p in parts[1:]):
        if node.inputs[first.input].dtype.kind == "b":
            return _masked(v, node, target, first, value)
        return _scattered(v, node, target, first, "none")
    raise v.refused(node, "writing at such an index")


def add_at(v: Values, node: Node) -> str:
    x = Selected(v.name(node.inputs[0]), node.inputs[0].shape)
    parts = _spelled(node.attributes["index"], len(x.shape))
    if isinstance(parts[0], Operand) and all(p == ALL for p in parts[1:]):
        return _scattered(v, node, x, parts[0], "add")
    raise v.refused(node, "np.add.at of such an index")


def _masked(v: Values, node: Node, x: Selected, mask: Operand, value: Node) -> str:
    """x with one number where the mask is."""
    holds = node.inputs[mask.input]
    if value.shape not in ((), (1,)):
        raise v.refused(node, "writing an array where a mask is")
    name = v.name(holds)
    for _ in range(len(x.shape) - len(holds.shape)):
        name = v.scope.op("Unsqueeze", name, v.scope.const(np.array([-1])))
    return v.scope.op("Where", name, v.name(value, kind_of(node.dtype)), x.name)


def _scattered(v: Values, node: Node, x: Selected, rows: Operand, how: str) -> str:
    """x with values in rows."""
    index = node.inputs[rows.input]
    indices = v.scope.op("Unsqueeze", _index(v, node, rows), v.scope.const(np.array([-1])))
    shape = v.vector((*index.shape, *x.shape[1:]))
    values = v.scope.op("Expand", v.name(node.inputs[1], kind_of(node.dtype)), shape)
    return v.scope.op("ScatterND", x.name, indices, values, reduction=how)


def _put(
    v: Values,
    node: Node,
    x: Selected,
    parts: Sequence[Any],
    value: str,
    value_shape: tuple[int | Size, ...],
) -> str:
    """x with a value in a block: what is before the block, the block, and what is behind it."""
    s = v.scope
    shape = [
        (end if begin == 0 else _less(end, begin))
        for part, n in zip(parts, x.shape, strict=True)
        for begin, end in [_bounds(v, node, part, n)]
    ]
    whole = [k for k, part in enumerate(parts) if not isinstance(part, slice)]
    block = s.op("Expand", value, v.vector([n for k, n in enumerate(shape) if k not in whole]))
    if whole:
        block = s.op("Unsqueeze", block, s.const(np.array(whole)))
    return _placed(v, node, x, parts, 0, block)


def _placed(v: Values, node: Node, x: Selected, parts: Sequence[Any], axis: int, block: str) -> str:
    """The block in the place of the part of x that the index says, from this axis on."""
    if all(_is_all(part, n) for part, n in zip(parts[axis:], x.shape[axis:], strict=True)):
        return block
    n = x.shape[axis]
    begin, end = _bounds(v, node, parts[axis], n)

    def cut(a: int | Size, b: int | Size) -> str:
        return _sliced(v, x.name, [(axis, a, b, 1)])

    inner = Selected(cut(begin, end), (*x.shape[:axis], _less(end, begin), *x.shape[axis + 1 :]))
    pieces = [] if begin == 0 else [cut(0, begin)]
    pieces.append(_placed(v, node, inner, parts, axis + 1, block))
    pieces += [] if end == n else [cut(end, n)]
    return v.scope.op("Concat", *pieces, axis=axis) if len(pieces) > 1 else pieces[0]


def _bounds(v: Values, node: Node, part: Any, n: int | Size) -> tuple[int | Size, int | Size]:
    """Where a part of an axis of length n begins and ends."""
    if not isinstance(part, slice):
        begin = _from_front(part, n)
        return begin, _less(begin, -1)
    if part.step not in (None, 1):
        raise v.refused(node, "writing with a step")
    return (
        0 if part.start is None else _from_front(part.start, n),
        n if part.stop is None else _from_front(part.stop, n),
    )


def _from_front(k: int | Size, n: int | Size) -> int | Size:
    if isinstance(k, int) and k < 0:
        return _less(n, -k)
    return min(k, n) if isinstance(k, int) and isinstance(n, int) else k


def _less(a: int | Size, b: int | Size) -> int | Size:
    """a - b."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    if isinstance(b, int):
        assert isinstance(a, Size)
        return attrs.evolve(a, constant=a.constant - b)
    factors = {letter: -factor for letter, factor in b.terms}
    constant = -b.constant
    if isinstance(a, Size):
        for letter, factor in a.terms:
            factors[letter] = factors.get(letter, 0) + factor
        constant += a.constant
    else:
        constant += a
    terms = tuple((letter, factor) for letter, factor in factors.items() if factor)
    return Size(terms, constant) if terms else constant


def _spelled(index: Sequence[Any], rank: int) -> list[Any]:
    """An index with a part for each axis, and None for each new one."""
    parts = list(index)
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    at = parts.index(Ellipsis)
    taken = sum(part is not None for part in parts) - 1
    return [*parts[:at], *[ALL] * (rank - taken), *parts[at + 1 :]]


def _is_all(part: Any, n: int | Size) -> bool:
    return (
        isinstance(part, slice)
        and part.start in (None, 0)
        and part.stop in (None, n)
        and part.step in (None, 1)
    )


def _basic(v: Values, x: Selected, parts: Sequence[Any]) -> str:
    """x[parts], of slices, whole numbers and None."""
    cuts: list[tuple[int, int | Size, int | Size, int]] = []
    gone, grown, axis, place = [], [], 0, 0
    for part in parts:
        if part is None:
            grown.append(place)
            place += 1
            continue
        if isinstance(part, slice):
            if not _is_all(part, x.shape[axis]):
                cuts.append((axis, *_ends(part)))
            place += 1
        else:
            cuts.append((axis, part, LAST if part == -1 else _less(part, -1), 1))
            gone.append(axis)
        axis += 1
    name = _sliced(v, x.name, cuts)
    if gone:
        name = v.scope.op("Squeeze", name, v.scope.const(np.array(gone)))
    return _grown(v, Selected(name, ()), grown).name


def _ends(part: slice) -> tuple[int | Size, int | Size, int]:
    step = part.step or 1
    forward = step > 0
    start = part.start if part.start is not None else 0 if forward else LAST
    stop = part.stop if part.stop is not None else LAST if forward else FIRST
    return start, stop, step


def _sliced(v: Values, x: str, cuts: Sequence[tuple[int, int | Size, int | Size, int]]) -> str:
    """x cut along some axes: (axis, start, stop, step) of each."""
    if not cuts:
        return x
    axes, starts, stops, steps = zip(*cuts, strict=True)
    return v.scope.op(
        "Slice",
        x,
        v.vector(starts),
        v.vector(stops),
        v.scope.const(np.array(axes)),
        v.scope.const(np.array(steps)),
    )


def _grown(v: Values, x: Selected, places: Sequence[int]) -> Selected:
    """x with new axes of length 1."""
    if not places:
        return x
    shape = list(x.shape)
    for place in places:
        shape.insert(place, 1)
    return Selected(v.scope.op("Unsqueeze", x.name, v.scope.const(np.array(places))), tuple(shape))


def _index(v: Values, node: Node, part: Any) -> str:
    """An array of places, or one place."""
    if not isinstance(part, Operand):
        return v.scope.const(part, "i")
    array = node.inputs[part.input]
    if array.dtype.kind == "b":
        if len(array.shape) != 1:
            raise v.refused(node, "choosing by a mask of more than one axis")
        nonzero = v.scope.op("NonZero", v.name(array))
        return v.scope.op("Squeeze", nonzero, v.scope.const(np.array([0])))
    return v.name(array, "i")


OPERATIONS: Final[dict[str, Emit]] = {"getitem": getitem, "setitem": setitem, "add_at": add_at}
