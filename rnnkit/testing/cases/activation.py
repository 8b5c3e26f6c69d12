"""Activations: every shape, both sides of each kink, a grid, whole numbers, and far out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import numpy as np

from rnnkit.kinds import Activation, Array, Rng
from rnnkit.testing.cases.graphs import graph_of
from rnnkit.testing.example import Broken, Case, Example, Leaves, Traceable
from rnnkit.testing.laws import calls_do_not_meet, close

GRID = np.linspace(-32.0, 32.0, 257)
"""Every quarter; what is drawn moves it a little, so that whole numbers are beside it."""


def activation_cases(plugin: Activation) -> Iterator[Case]:
    """The cases of one activation."""
    for shape in ((1,), (3, 4), (2, 3, 4)):
        name = "x".join(map(str, shape))
        made = partial(_near, plugin=plugin, shape=shape)
        yield Case(f"shape={name}", made, core=shape == (3, 4))
    yield Case("strided", partial(_near, plugin=plugin, shape=(4, 6), strided=True))
    yield Case("kinks", partial(_beside_kinks, plugin=plugin), core=True)
    yield Case("far", partial(_far, plugin=plugin, distance=30.0))
    yield Case("grid", partial(_on_a_grid, plugin=plugin), core=True)
    yield Case("whole numbers", partial(_whole, plugin=plugin))
    yield Case("farther", partial(_far, plugin=plugin, distance=100.0, daring=True))


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
    offsets = 10.0 ** rng.uniform(-3.0, -1.4, (2, len(places)))
    return _at(plugin, np.concatenate([places - offsets[0], places + offsets[1]]))


def _on_a_grid(rng: Rng, plugin: Activation) -> Example:
    return _at(plugin, GRID + rng.uniform(0.01, 0.1, GRID.shape), extreme=True)


def _whole(rng: Rng, plugin: Activation) -> Example:
    """Where there may be a kink, or 0 / 0."""
    return _at(plugin, np.arange(-8.0, 9.0))


def _far(rng: Rng, plugin: Activation, distance: float, *, daring: bool = False) -> Example:
    x = rng.choice([-1.0, 1.0], 5) * (distance - rng.integers(0, 2, 5))
    return _at(plugin, x, extreme=True, daring=daring)


def _at(
    plugin: Activation,
    x: Array,
    *,
    strided: bool = False,
    extreme: bool = False,
    daring: bool = False,
) -> Example:
    def forward(leaves: Leaves) -> tuple[Leaves, Any]:
        given = leaves["x"]
        if strided:
            wide = np.repeat(given, 2, axis=-1)
            given = wide[..., ::2]
        y, saved = plugin.forward(given)
        return {"y": y}, saved

    def backward(leaves: Leaves, cotangents: Leaves, saved: Any) -> Leaves:
        return {"x": plugin.backward(cotangents["y"], saved)}

    def is_elementwise(example: Example) -> None:
        y, _ = plugin.forward(x.copy())
        for i in range(0, x.size, max(1, x.size // 8)):
            alone, _ = plugin.forward(x.reshape(-1)[i : i + 1].copy())
            if not close(alone[0], y.reshape(-1)[i]):
                raise Broken(
                    "elementwise",
                    f"f({x.reshape(-1)[i]:.6g}) is {alone[0]:.6g} alone and {y.reshape(-1)[i]:.6g} in an "
                    "array: an activation is elementwise",
                )

    laws = (is_elementwise, *(() if extreme else (calls_do_not_meet(type(plugin)),)))
    single: Literal["types", "compare"] = "types" if extreme else "compare"
    return Example(
        {"x": x},
        forward,
        backward,
        laws=laws,
        single=single,
        daring=daring,
        traceable=Traceable(partial(graph_of, plugin), function=plugin.forward),
    )
