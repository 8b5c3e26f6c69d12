"""Sums, products, shapes and choices, in ONNX's standard operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from rnnkit.captioning.exporting.onnx.scope import kind_of
from rnnkit.captioning.exporting.onnx.values import Values
from rnnkit.tracing import Node

Emit: TypeAlias = Callable[[Values, Node], str]
"""(values, node) -> the name of the node's result."""


def reduction(kind: str) -> Emit:
    """A sum and the like over some axes."""

    def emit(v: Values, node: Node) -> str:
        (x,), to = node.inputs, kind_of(node.dtype)
        return _reduced(v, kind, v.name(x, to), node)

    return emit


def truth(kind: str) -> Emit:
    """any and all, by the largest and the smallest of 0 and 1."""

    def emit(v: Values, node: Node) -> str:
        ones = v.scope.cast(v.name(node.inputs[0], "b"), "b", "i")
        return v.scope.cast(_reduced(v, kind, ones, node), "i", "b")

    return emit


def _reduced(v: Values, kind: str, x: str, node: Node) -> str:
    axis = node.attributes["axis"]
    axes = [axis] if isinstance(axis, int) else list(axis)
    keep = int(node.attributes["keepdims"])
    return v.scope.op(kind, x, v.scope.const(np.array(axes, np.int64)), keepdims=keep)


def chosen(kind: str) -> Emit:
    """argmax and argmin: the first of equal ones."""
    return lambda v, node: v.scope.op(
        kind, v.name(node.inputs[0], "f"), axis=node.attributes["axis"], keepdims=0
    )


def argsort(v: Values, node: Node) -> str:
    x, axis = node.inputs[0], node.attributes["axis"]
    length = v.length(x.shape[axis])
    return v.scope.ops("TopK", [v.name(x), length], 2, axis=axis, largest=0)[1]


def where(v: Values, node: Node) -> str:
    condition, *others = node.inputs
    kind = kind_of(node.dtype)
    as_numbers = "i" if kind == "b" else kind  # ONNX Runtime chooses among numbers alone
    values = (v.name(x, as_numbers) for x in others)
    return v.scope.cast(v.scope.op("Where", v.name(condition, "b"), *values), as_numbers, kind)


def same(v: Values, node: Node) -> str:
    """The same numbers, of the kind of the result."""
    return v.name(node.inputs[0], kind_of(node.dtype))


def cumsum(v: Values, node: Node) -> str:
    axis = v.scope.const(node.attributes["axis"], "i")
    return v.scope.op("CumSum", v.name(node.inputs[0], kind_of(node.dtype)), axis)


def flatnonzero(v: Values, node: Node) -> str:
    flat = v.scope.op("Reshape", v.name(node.inputs[0], "b"), v.scope.const(np.array([-1])))
    return v.scope.op("Squeeze", v.scope.op("NonZero", flat), v.scope.const(np.array([0])))


def product(v: Values, node: Node) -> str:
    kind = kind_of(node.dtype)
    return v.scope.op("MatMul", *(v.name(x, kind) for x in node.inputs))


def einsum(v: Values, node: Node) -> str:
    kind = kind_of(node.dtype)
    equation = node.attributes["subscripts"]
    return v.scope.op("Einsum", *(v.name(x, kind) for x in node.inputs), equation=equation)


def reshape(v: Values, node: Node) -> str:
    return v.scope.op("Reshape", v.name(node.inputs[0]), v.vector(node.shape), allowzero=1)


def transpose(v: Values, node: Node) -> str:
    return v.scope.op("Transpose", v.name(node.inputs[0]), perm=list(node.attributes["axes"]))


def expand(v: Values, node: Node) -> str:
    return v.scope.op("Expand", v.name(node.inputs[0], kind_of(node.dtype)), v.vector(node.shape))


def concatenate(v: Values, node: Node) -> str:
    kind = kind_of(node.dtype)
    return v.scope.op(
        "Concat", *(v.name(x, kind) for x in node.inputs), axis=node.attributes["axis"]
    )


def arange(v: Values, node: Node) -> str:
    ends = [node.attributes[key] for key in ("start", "stop", "step")]
    scalar = v.scope.const(np.array([], np.int64))
    return v.scope.op("Range", *(v.scope.op("Reshape", v.length(n), scalar) for n in ends))


OPERATIONS: Final[dict[str, Emit]] = {
    "where": where,
    "astype": same,
    "real": same,
    "sum": reduction("ReduceSum"),
    "mean": reduction("ReduceMean"),
    "prod": reduction("ReduceProd"),
    "amax": reduction("ReduceMax"),
    "amin": reduction("ReduceMin"),
    "any": truth("ReduceMax"),
    "all": truth("ReduceMin"),
    "argmax": chosen("ArgMax"),
    "argmin": chosen("ArgMin"),
    "argsort": argsort,
    "cumsum": cumsum,
    "flatnonzero": flatnonzero,
    "matmul": product,
    "einsum": einsum,
    "reshape": reshape,
    "transpose": transpose,
    "broadcast_to": expand,
    "full": expand,
    "concatenate": concatenate,
    "arange": arange,
}
"""What is not elementwise."""
