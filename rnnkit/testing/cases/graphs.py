"""Plugins as graphs, with names for all lengths where they can have any, else at the widths of an example."""

from __future__ import annotations

from rnnkit.errors import TraceError
from rnnkit.kinds import Layer, Loss, Plugin
from rnnkit.kinds.lifted import lifted
from rnnkit.kinds.map_source import SCORES, SIZES
from rnnkit.kinds.traced import LossTrace, traced
from rnnkit.tracing import Graph, trace


def graph_of(plugin: Plugin, d: int = 4, h: int = 5, *, training: bool = False) -> Graph:
    """The graph of a plugin, its options by their names; of a loss, without its gradient.

    Args:
        plugin: a cell, layer, activation or loss.
        d: the width of inputs, if it must have one.
        h: the width of a cell's outputs.
        training: whether a layer is given a source of randomness.

    Raises:
        TraceError: it cannot be traced.
    """
    named = lifted(plugin)
    if isinstance(named, Loss):
        made = LossTrace(named)
        return trace(made.value, made.draw, SCORES)
    try:
        return traced(named, SIZES, training=training)
    except (TraceError, ValueError):
        h = plugin.out_features(d) if isinstance(plugin, Layer) else h
        return traced(named, [{"N": n, "D": d, "H": h} for n in (3, 4)], training=training)
