"""A traced graph, operation by operation, in a graph of ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from rnnkit.captioning.exporting.onnx import arrays, elementwise, indexing
from rnnkit.captioning.exporting.onnx.scope import kind_of
from rnnkit.captioning.exporting.onnx.values import Values
from rnnkit.tracing import Graph, Node

OPERATIONS: Final = {**arrays.OPERATIONS, **indexing.OPERATIONS}


def emit(graph: Graph, values: Values, inputs: Mapping[str, str]) -> dict[str, str]:
    """The names of a graph's outputs, from those of its inputs.

    Raises:
        TraceError: an operation has no counterpart among the standard operators.
    """
    for node in graph.nodes:
        values.names[node] = (
            inputs[node.attributes["name"]] if node.op == "input" else _made(node, values)
        )
    return {name: values.name(node) for name, node in graph.outputs.items()}


def _made(node: Node, values: Values) -> str:
    if node.op == "constant":
        return values.scope.const(values.number(node))
    if node.op in OPERATIONS:
        return OPERATIONS[node.op](values, node)
    kind, table = _table(node)
    if node.op not in table:
        raise values.refused(node, f"np.{node.op} of {np.dtype(node.dtype)}")
    return table[node.op](values.scope, *(values.name(x, kind) for x in node.inputs))


def _table(node: Node) -> tuple[str, Mapping[str, elementwise.Operator]]:
    """The kind of number that an elementwise function takes, and the functions of that kind."""
    if node.op in elementwise.TESTS:
        return "f", elementwise.TESTS
    if node.op in elementwise.COMPARISONS:
        kinds = {kind_of(x.dtype) for x in node.inputs}
        return ("f" if "f" in kinds else "i"), elementwise.COMPARISONS
    kind = kind_of(node.dtype)
    tables = {"f": elementwise.FLOATS, "i": elementwise.INTEGERS, "b": elementwise.LOGIC}
    return kind, tables.get(kind, {})
