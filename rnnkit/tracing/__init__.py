"""Runs plugins on stand-ins for arrays, and keeps what they computed as a graph."""

from rnnkit.tracing.graph import Graph, Node, in_order
from rnnkit.tracing.operations import Operand
from rnnkit.tracing.sizes import Power, Size, Sizes
from rnnkit.tracing.trace import Draws, trace

__all__ = ["Draws", "Graph", "Node", "Operand", "Power", "Size", "Sizes", "in_order", "trace"]
