"""The names that the results of a traced graph have in a graph of ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.captioning.exporting.onnx.scope import Scope, kind_of
from rnnkit.errors import TraceError
from rnnkit.tracing import Node, Size


class Values:
    """Where the results of traced operations are.

    Attributes:
        scope: the graph that they are in.
        rows: the name of N (1,), how many rows there are.
        names: of each result so far.
    """

    def __init__(self, scope: Scope, rows: str) -> None:
        self.scope = scope
        self.rows = rows
        self.names: dict[Node, str] = {}

    def name(self, node: Node, kind: str | None = None) -> str:
        """The name of a node's result, as numbers of a kind."""
        if kind is not None and node.weak:
            return self.scope.const(self.number(node), kind)
        name, has = self.names[node], kind_of(node.dtype)
        return name if kind is None else self.scope.cast(name, has, kind)

    def number(self, node: Node) -> Any:
        """The value of a constant."""
        value = node.attributes["value"]
        if node.weak and not isinstance(value, bool | int | float):
            raise self.refused(node, "a number that depends on how many rows there are")
        return value

    def vector(self, numbers: Sequence[int | Size]) -> str:
        """Whole numbers, some of which depend on the rows, as a vector."""
        if all(isinstance(n, int) for n in numbers):
            return self.scope.const(np.array(numbers, np.int64))
        return self.scope.op("Concat", *(self.length(n) for n in numbers), axis=0)

    def length(self, n: int | Size) -> str:
        """One of them, (1,)."""
        if isinstance(n, int):
            return self.scope.const(np.array([n]))
        ((_, factor),) = n.terms
        length = self.rows
        if factor != 1:
            length = self.scope.op("Mul", length, self.scope.const(np.array([factor])))
        if n.constant:
            length = self.scope.op("Add", length, self.scope.const(np.array([n.constant])))
        return length

    def refused(self, node: Node, what: str) -> TraceError:
        """The error for what ONNX has not, with its place."""
        return TraceError(
            f"{node.place or 'the network'}: {what} has no counterpart in ONNX's standard operators: write it with "
            "arithmetic, np.where, sums and products"
        )
