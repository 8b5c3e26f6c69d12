"""Inputs to check a plugin's gradients with, made from the interface of its kind alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from rnnkit.kinds import Activation, Layer, Loss, Plugin, RecurrentCell, Rng
from rnnkit.testing.cases.activation import activation_cases
from rnnkit.testing.cases.cell import cell_cases
from rnnkit.testing.cases.layer import draws, layer_cases
from rnnkit.testing.cases.loss import loss_cases
from rnnkit.testing.cases.network import network_cases
from rnnkit.testing.example import Broken, Case, Example

__all__ = ["differentiable_cases", "draws", "network_cases"]


def differentiable_cases(plugin: Plugin) -> Iterator[Case]:
    """The cases of a plugin with a gradient; none for the other kinds."""
    try:
        match plugin:
            case Activation():
                yield from activation_cases(plugin)
            case Layer():
                yield from layer_cases(plugin)
            case RecurrentCell():
                yield from cell_cases(plugin)
            case Loss():
                yield from loss_cases(plugin)
    except Broken as refused:  # no width is taken: that is what there is to tell
        yield Case(refused.law, partial(_raise, refused), core=True)


def _raise(error: Broken, rng: Rng) -> Example:
    raise error
