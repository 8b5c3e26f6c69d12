"""What an operation is the same as up to rounding, if it is simpler: for gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from rnnkit.tracing.graph import Node
from rnnkit.tracing.rules import count
from rnnkit.tracing.simplify import number
from rnnkit.tracing.terms import Make

SIGNED: Final = frozenset(
    [
        "multiply",
        "divide",
        "matmul",
        "sum",
        "mean",
        "getitem",
        "reshape",
        "transpose",
        "broadcast_to",
    ]
)
"""Operations before which a sign is as good as after them."""


def simpler_rounded(make: Make, node: Node) -> Node | None:
    """A node that is less work and computes nearly the same; None if none is known."""
    if node.op in SIGNED:
        moved = _sign_last(make, node)
        if moved is not None:
            return moved
    rule = _RULES.get(node.op)
    return rule(make, *node.inputs) if rule else None


def positive_of(x: Node) -> Node | None:
    """a, if x is -a."""
    return x.inputs[0] if x.op == "negative" else None


def _sign_last(make: Make, node: Node) -> Node | None:
    """-a b as -(a b), so that signs meet in sums."""
    inputs = list(node.inputs)
    for i, x in enumerate(
        inputs[:2] if node.op in ("multiply", "divide", "matmul") else inputs[:1]
    ):
        a = positive_of(x)
        if a is not None:
            inputs[i] = a
            return make("negative", make(node.op, *inputs, **node.attributes))
    return None


def _add(make: Make, a: Node, b: Node) -> Node | None:
    minus_a, minus_b = positive_of(a), positive_of(b)
    if minus_b is not None:
        return make("subtract", a, minus_b)
    if minus_a is not None:
        return make("subtract", b, minus_a)
    if a is b:
        return make("multiply", 2.0, a)
    less = _negative_number(make, b)
    if less is not None:
        return make("subtract", a, less)
    return _meeting(make, "add", a, b) or _factored(make, "add", a, b)


def _subtract(make: Make, a: Node, b: Node) -> Node | None:
    minus_a, minus_b = positive_of(a), positive_of(b)
    if minus_b is not None:
        return make("add", a, minus_b)
    if minus_a is not None:
        return make("negative", make("add", minus_a, b))
    less = _negative_number(make, b)
    if less is not None:
        return make("add", a, less)
    return _meeting(make, "subtract", a, b) or _factored(make, "subtract", a, b)


def _factored(make: Make, op: str, a: Node, b: Node) -> Node | None:
    """x y + x z as x (y + z)."""
    if a.op != "multiply" or b.op != "multiply":
        return None
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        x, y, z = a.inputs[i], a.inputs[1 - i], b.inputs[1 - j]
        if x is b.inputs[j] and not x.weak and not (y.weak or z.weak) and y.shape == z.shape:
            return make("multiply", x, make(op, y, z))
    return None


def _negative_number(make: Make, x: Node) -> Node | None:
    """2 a, if x is -2 a."""
    if x.op == "multiply" and (number(x.inputs[0]) or 0) < 0:
        return make("multiply", -number(x.inputs[0]), x.inputs[1])
    return None


def _meeting(make: Make, op: str, a: Node, b: Node) -> Node | None:
    """where(c, x, y) + where(c, u, v) as where(c, x + u, y + v)."""
    if a.op != "where" or b.op != "where" or a.inputs[0] is not b.inputs[0]:
        return None
    parts = [_combined(make, op, x, y) for x, y in zip(a.inputs[1:], b.inputs[1:], strict=True)]
    return make("where", a.inputs[0], *parts)


def _combined(make: Make, op: str, a: Node, b: Node) -> Node:
    """a + b or a - b, where one may be 0."""
    if number(b) == 0:
        return a
    if number(a) == 0:
        return b if op == "add" else make("negative", b)
    return make(op, a, b)


def _multiply(make: Make, a: Node, b: Node) -> Node | None:
    """Numbers first, and one of them."""
    if b.weak and not a.weak:
        return make("multiply", b, a)
    if number(a) == -1:
        return make("negative", b)
    inner, x = b.inputs if b.op == "multiply" else (None, None)
    if inner is not None and inner.weak:
        if number(a) is not None and number(inner) is not None:
            return make("multiply", number(a) * number(inner), x)
        if not a.weak:
            # The number goes to the smaller array.
            small = math.prod(np.shape(a.values[0])) < math.prod(np.shape(b.values[0]))
            if small:
                return make("multiply", make("multiply", inner, a), x)
            return make("multiply", inner, make("multiply", a, x))
    if not a.weak and len(b.shape) < len(a.shape):
        return make("multiply", b, a)
    return None


def _negative(make: Make, x: Node) -> Node | None:
    if x.op == "multiply" and number(x.inputs[0]) is not None:
        return make("multiply", -number(x.inputs[0]), x.inputs[1])
    return None


def _where(make: Make, condition: Node, yes: Node, no: Node) -> Node | None:
    """A choice within the same choice is made."""
    if yes.op == "where" and yes.inputs[0] is condition:
        return make("where", condition, yes.inputs[1], no)
    if no.op == "where" and no.inputs[0] is condition:
        return make("where", condition, yes, no.inputs[2])
    return None


def _divide(make: Make, a: Node, b: Node) -> Node | None:
    """A number times a ratio; a sum over the number of its terms is a mean."""
    if a.op == "multiply" and a.inputs[0].weak:
        return make("multiply", a.inputs[0], make("divide", a.inputs[1], b))
    if a.op == "sum" and b.weak:
        (x,) = a.inputs
        if count(x, a.attributes["axis"]) == b.attributes["value"]:
            return make("mean", x, **a.attributes)
    return None


_RULES: Final[dict[str, Callable[..., Node | None]]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negative": _negative,
    "where": _where,
}
