"""Layers: with every number of leading axes, in training and outside, tokens with repeats."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from rnnkit.kinds import Array, Arrays, Layer, Rng, map_arrays, named_arrays
from rnnkit.testing.example import Broken, Case, Example, Leaves, equal_bits

WIDTHS = (4, 6, 8, 3, 2, 1)
"""Widths to try; a layer may refuse some."""


def layer_cases(plugin: Layer[Any, Any, Any]) -> Iterator[Case]:
    """The cases of one layer."""
    plugin = plugin.fit(3)
    widths = [d for d in WIDTHS if _takes(plugin, d)][:2]
    if _takes(plugin, 1):
        widths.append(1)
    for d in dict.fromkeys(widths):
        for lead in ((1,), (3,), (2, 3), (2, 2, 3)) if d == widths[0] else ((3,),):
            for training in (False, True):
                shape = "x".join(map(str, (*lead, d)))
                yield Case(
                    f"x={shape}{',training' if training else ''}",
                    partial(_at, plugin=plugin, lead=lead, d=d, training=training),
                )


def _takes(plugin: Layer[Any, Any, Any], d: int) -> bool:
    try:
        plugin.out_features(d)
        plugin.init(d, np.random.default_rng(0), np.dtype(np.float64))
    except ValueError:
        return False
    return True


def stirred(params: Any, rng: Rng) -> Any:
    """Parameters with some noise: a term with a parameter that begins as 0 must not hide."""
    return map_arrays(lambda a: a + 0.3 * rng.standard_normal(a.shape), params)


def with_values(arrays: Arrays, leaves: Leaves, prefix: str) -> Any:
    """The container with arrays of the leaves in place of its own."""
    names = iter([f"{prefix}{name}" for name, _ in named_arrays(arrays)])
    return map_arrays(lambda _: leaves[next(names)], arrays)


def _at(
    rng: Rng, plugin: Layer[Any, Any, Any], lead: tuple[int, ...], d: int, training: bool
) -> Example:
    """One layer on one input."""
    params = stirred(plugin.init(d, rng, np.dtype(np.float64)), rng)
    seed = int(rng.integers(2**31))
    tokens = rng.integers(0, d, lead)
    leaves: dict[str, Array]
    leaves = {} if plugin.tokens else {"x": rng.standard_normal((*lead, d))}
    leaves |= {f"p.{name}": a for name, a in named_arrays(params)}

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        source = np.random.default_rng(seed) if training else None
        x = tokens if plugin.tokens else at["x"]
        y, cache = plugin.forward(with_values(params, at, "p."), x, source)
        return {"y": y}, cache

    def backward(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        dx, dp = plugin.backward(with_values(params, at, "p."), cotangents["y"], cache)
        gradients = {f"p.{name}": a for name, a in named_arrays(dp)}
        return gradients if dx is None else {"x": dx, **gradients}

    def says_if_it_draws(example: Example) -> None:
        """A layer that is not `random` gives the same whatever the source of randomness holds."""
        x = tokens if plugin.tokens else leaves["x"]
        one, other = (
            plugin.forward(params, x.copy(), np.random.default_rng(s))[0] for s in (seed, seed + 1)
        )
        if not plugin.random and not equal_bits(one, other):
            raise Broken("random", "it draws random numbers while training: set random = True")

    # In training the numbers drawn for a row depend on how many rows there are.
    rows = () if training or plugin.tokens else ("x",)
    return Example(leaves, forward, backward, rows=rows, laws=(says_if_it_draws,))
