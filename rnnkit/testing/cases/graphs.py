"""Plugins as graphs, with names for all lengths where they can have any, else at the widths of an example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rnnkit.errors import TraceError
from rnnkit.kinds import Loss, Plugin
from rnnkit.kinds.cell_source import SIZES
from rnnkit.kinds.lifted import lifted
from rnnkit.kinds.traced import traced
from rnnkit.tracing import Graph, Sizes

OF_LOSS: Final[Sequence[Sizes]] = tuple(
    {"N": n, "K": k, "H": v} for n, k, v in ((7, 3, 5), (8, 3, 5), (8, 5, 5), (8, 5, 7))
)
"""N positions, of which K count, and V words; each changes alone once."""


def graph_of(plugin: Plugin, d: int, h: int, *, training: bool = False) -> Graph:
    """The graph of a plugin, its options by their names.

    Args:
        plugin: a cell, layer, activation or loss.
        d: the width of inputs, if it must have one.
        h: the width of outputs.
        training: whether a layer is given a source of randomness.

    Raises:
        TraceError: it cannot be traced.
    """
    named = lifted(plugin)
    if isinstance(plugin, Loss):
        return traced(named, OF_LOSS)
    try:
        return traced(named, SIZES, training=training)
    except (TraceError, ValueError):
        return traced(named, [{"N": n, "D": d, "H": h} for n in (3, 4)], training=training)
