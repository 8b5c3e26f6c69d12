"""Runs plugins on stand-ins for arrays, and keeps what they computed as a graph."""

from rnnkit.tracing.formulas import Formula, Formulas
from rnnkit.tracing.graph import Graph, Node, Scope, in_order
from rnnkit.tracing.operations import Operand
from rnnkit.tracing.reverse import Gradient, gradient
from rnnkit.tracing.sizes import Power, Size, Sizes
from rnnkit.tracing.trace import Draws, trace

__all__ = [
    "Draws",
    "Formula",
    "Formulas",
    "Gradient",
    "Graph",
    "Node",
    "Operand",
    "Power",
    "Scope",
    "Size",
    "Sizes",
    "gradient",
    "in_order",
    "trace",
]
