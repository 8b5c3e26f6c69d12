"""What an operation is the same as, if it is simpler."""

from __future__ import annotations

import operator
from typing import Any, Final

from rnnkit.tracing.graph import WORKING, Node
from rnnkit.tracing.terms import Make


def simpler(make: Make, node: Node) -> Node:
    """The node itself, or one that is less work and computes the same bits."""
    if node.op in _ARITHMETIC and all(x.weak for x in node.inputs):
        a, b = (x.attributes["value"] for x in node.inputs)
        if all(isinstance(v, float | int) for v in (a, b)) and (b or node.op != "divide"):
            return make("constant", value=_ARITHMETIC[node.op](a, b))
    if node.op in _MOVING and node.inputs[0].op == "full" and len(node.inputs) == 1:
        return make("full", node.inputs[0].inputs[0], shape=node.shape, dtype=node.dtype)
    rule = _RULES.get(node.op)
    return (rule(make, node) if rule else None) or node


def _same_shape(node: Node, x: Node) -> Node | None:
    same = x.shape == node.shape and x.dtype == node.dtype and not x.weak
    return x if same else None


def number(x: Node) -> Any:
    """The number that a node is, or all of an array; None if it is not one, or one that may be another."""
    if x.op == "full":
        return number(x.inputs[0])
    value = x.attributes["value"] if x.weak else None
    return value if type(value) in (bool, int, float) else None


def strong(x: Node) -> bool:
    """Whether its type is that of arrays, whichever that is, rather than that of Python's numbers."""
    if x.op in ("where", "real", "broadcast_to", "reshape", "getitem", "concatenate", "transpose"):
        return any(strong(i) for i in x.inputs[x.op == "where" :])
    return not x.weak and x.dtype == WORKING


def _add(make: Make, node: Node) -> Node | None:
    a, b = node.inputs
    if number(b) == 0:
        return _same_shape(node, a)
    return _same_shape(node, b) if number(a) == 0 else None


def _subtract(make: Make, node: Node) -> Node | None:
    return _same_shape(node, node.inputs[0]) if number(node.inputs[1]) == 0 else None


def _multiply(make: Make, node: Node) -> Node | None:
    a, b = node.inputs
    if number(b) == 1:
        return _same_shape(node, a)
    if number(a) == 1:
        return _same_shape(node, b)
    if a is b:
        return make("square", a)
    for x, other in ((a, b), (b, a)):
        if x.weak and other.op == "full":
            value = make("multiply", x, other.inputs[0])
            return make("full", value, shape=other.shape, dtype=other.dtype)
        factor = None if other.weak else _factor(x)
        if factor is not None and other.shape == node.shape:
            return make("multiply", factor, other)
    return None


def _factor(x: Node) -> Node | None:
    """The number that multiplying by an array comes to, if it is one number all over."""
    if x.op == "multiply" and x.inputs[0].weak and number(x.inputs[1]) == 1:
        return x.inputs[0]
    return x.inputs[0] if x.op == "full" and x.dtype == WORKING else None


def _divide(make: Make, node: Node) -> Node | None:
    a, b = node.inputs
    if number(b) == 1:
        return _same_shape(node, a)
    if a.op == "full" and b.shape == node.shape:
        return make("divide", a.inputs[0], b)
    return _sigmoid(make, node, b) if number(a) == 1 else None


def _reciprocal(make: Make, node: Node) -> Node | None:
    return _sigmoid(make, node, node.inputs[0])


def _sigmoid(make: Make, node: Node, below: Node) -> Node | None:
    """1 / (1 + exp(-x))."""
    if below.op == "add" and 1 in map(number, below.inputs):
        power = next((x for x in below.inputs if x.op == "exp"), None)
        if power is not None and power.inputs[0].op == "negative":
            return make("sigmoid", power.inputs[0].inputs[0])
    return None


def _negative(make: Make, node: Node) -> Node | None:
    (x,) = node.inputs
    if x.op == "full":
        minus = make("multiply", -1.0, x.inputs[0])
        return make("full", minus, shape=x.shape, dtype=x.dtype)
    return x.inputs[0] if x.op == "negative" else None


def _astype(make: Make, node: Node) -> Node | None:
    (x,) = node.inputs
    return x if x.dtype == node.dtype and (strong(x) or x.dtype != WORKING) else None


def _positive(make: Make, node: Node) -> Node | None:
    return None if node.inputs[0].weak else _same_shape(node, node.inputs[0])


def _getitem(make: Make, node: Node) -> Node | None:
    (x, *arrays), index = node.inputs, node.attributes["index"]
    if not arrays and all(part == slice(None) for part in index):
        return x
    if x.op == "setitem" and x.attributes["index"] == index and not arrays and not x.inputs[2:]:
        return _same_shape(node, x.inputs[1])
    return None


def _setitem(make: Make, node: Node) -> Node | None:
    base, value, *arrays = node.inputs
    if value.op == "full":
        return make(node.op, base, value.inputs[0], *arrays, **node.attributes)
    if node.op == "add_at":
        return None
    if not arrays and all(part == slice(None) for part in node.attributes["index"]):
        return _same_shape(node, value) if strong(value) else None
    return None


def _reshape(make: Make, node: Node) -> Node | None:
    (x,) = node.inputs
    if x.shape == node.shape:
        return x
    if x.op == "reshape":
        return make("reshape", x.inputs[0], shape=node.attributes["shape"])
    return None


def _transpose(make: Make, node: Node) -> Node | None:
    (x,), axes = node.inputs, node.attributes["axes"]
    if axes == tuple(range(len(axes))):
        return x
    if x.op == "transpose":
        inner = x.attributes["axes"]
        return make("transpose", x.inputs[0], axes=tuple(inner[a] for a in axes))
    return None


def _folded(make: Make, node: Node) -> Node | None:
    """x itself, where there is nothing to fold."""
    return node.inputs[0] if node.attributes["axis"] == () else None


def _broadcast_to(make: Make, node: Node) -> Node | None:
    return _same_shape(node, node.inputs[0])


def _concatenate(make: Make, node: Node) -> Node | None:
    return node.inputs[0] if len(node.inputs) == 1 else None


def _where(make: Make, node: Node) -> Node | None:
    return node.inputs[1] if node.inputs[1] is node.inputs[2] else None


_ARITHMETIC: Final = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}
_MOVING: Final = frozenset(("getitem", "reshape", "transpose", "broadcast_to", "real"))

_RULES = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "reciprocal": _reciprocal,
    "negative": _negative,
    "positive": _positive,
    "astype": _astype,
    "getitem": _getitem,
    "setitem": _setitem,
    "add_at": _setitem,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "where": _where,
    "sum": _folded,
    "mean": _folded,
}
