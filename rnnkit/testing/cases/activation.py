"""Activations: every shape, both sides of each kink, and far out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from rnnkit.kinds import Activation, Array, Rng
from rnnkit.testing.example import Case, Example, Leaves


def activation_cases(plugin: Activation) -> Iterator[Case]:
    """The cases of one activation."""
    for shape in ((1,), (3, 4), (2, 3, 4)):
        name = "x".join(map(str, shape))
        yield Case(f"shape={name}", partial(_near, plugin=plugin, shape=shape))
    yield Case("strided", partial(_near, plugin=plugin, shape=(4, 6), strided=True))
    yield Case("kinks", partial(_beside_kinks, plugin=plugin))
    yield Case("far", partial(_far, plugin=plugin))


def _near(
    rng: Rng, plugin: Activation, shape: tuple[int, ...], *, strided: bool = False
) -> Example:
    """N(0, 2^2), clear of the kinks."""
    x = 2.0 * rng.standard_normal(shape)
    for kink in plugin.kinks():
        close = np.abs(x - kink) < 0.05
        x[close] = kink + np.where(x[close] < kink, -0.05, 0.05)
    return _at(plugin, x, strided=strided)


def _beside_kinks(rng: Rng, plugin: Activation) -> Example:
    places = np.array(plugin.kinks() or (0.0,))
    offsets = rng.uniform(0.01, 0.04, (2, len(places)))
    return _at(plugin, np.concatenate([places - offsets[0], places + offsets[1]]))


def _far(rng: Rng, plugin: Activation) -> Example:
    return _at(plugin, rng.choice([-30.0, -29.0, 29.0, 30.0], 5))


def _at(plugin: Activation, x: Array, *, strided: bool = False) -> Example:
    def forward(leaves: Leaves) -> tuple[Leaves, Any]:
        given = leaves["x"]
        if strided:
            wide = np.repeat(given, 2, axis=-1)
            given = wide[..., ::2]
        y, saved = plugin.forward(given)
        return {"y": y}, saved

    def backward(leaves: Leaves, cotangents: Leaves, saved: Any) -> Leaves:
        return {"x": plugin.backward(cotangents["y"], saved)}

    return Example({"x": x}, forward, backward, rows=("x",))
