"""An example seen in parts: what comes from one output, one row of the batch, one step in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.example import Example, Leaves, copied
from rnnkit.testing.judge import Judge
from rnnkit.testing.names import arrays


@attrs.frozen
class View:
    """An example seen through some of its cotangents, the others set to 0.

    Backward is linear in them, so an error can show its pattern in one part where it is hidden in the whole.

    Attributes:
        label: the output that has a cotangent, if not all have.
        cotangents: of every output.
        gradients: what backward makes of them.
        factors: arrays that it may multiply by, by name.
        distinct: names of those that are not others by another name.
        rows: the same row by row of the batch; there a gradient that is a sum over rows has but one term.
        steps: the same step by step, where the outputs' second axis is time.
    """

    label: str
    cotangents: Leaves
    gradients: Leaves
    factors: Leaves
    distinct: frozenset[str]
    rows: tuple[View, ...] = ()
    steps: tuple[View, ...] = ()


def views_of(judge: Judge, cache: Any) -> Iterator[View]:
    """The whole, and what comes from each output alone."""
    example, cotangents = judge.example, judge.cotangents
    lengths = {np.shape(c)[:1] for c in cotangents.values()}
    (count,) = lengths.pop() if len(lengths) == 1 and () not in lengths else (0,)
    factors = _factors(cache, example)
    distinct = _distinct(factors)

    def through(label: str, chosen: Leaves) -> View:
        seen = {k: np.asarray(chosen.get(k, np.zeros_like(c))) for k, c in cotangents.items()}
        back = example.backward(copied(example.leaves), copied(seen), cache)
        slopes = {f"d{k}": c for k, c in seen.items()}
        return View(label, seen, back, factors | slopes, distinct | slopes.keys())

    def at_row(view: View, row: int) -> View:
        only = {k: np.where(_is_row(c, row), c, 0.0) for k, c in view.cotangents.items()}
        one = through(view.label, only)
        near = {k: f[row] if f.ndim and len(f) == count else f for k, f in one.factors.items()}
        return attrs.evolve(one, factors=near)

    def at_step(view: View, step: int) -> View:
        only = {
            k: np.where(_is_row(c.swapaxes(0, 1), step), c.swapaxes(0, 1), 0.0).swapaxes(0, 1)
            for k, c in view.cotangents.items()
        }
        return through(view.label, only)

    times = {np.shape(c)[1] if np.ndim(c) > 2 else 0 for c in cotangents.values()}
    (length,) = times if len(times) == 1 else (0,)
    parts = {"": cotangents}
    if len(cotangents) > 1:
        parts |= {k: {k: c} for k, c in cotangents.items()}
    for label, chosen in parts.items():
        view = through(label, chosen)
        yield attrs.evolve(
            view,
            rows=tuple(at_row(view, row) for row in range(count)),
            steps=tuple(at_step(view, step) for step in range(length)),
        )


def _is_row(a: Array, row: int) -> Any:
    """Whether each element is in this row."""
    return (np.arange(len(a)) == row).reshape(-1, *[1] * (a.ndim - 1))


def _factors(cache: Any, example: Example) -> dict[str, Array]:
    """Arrays that a backward pass multiplies by: those of the cache, their usual slopes, and the leaves.

    An array as wide as a leaf with gates is there as a whole and by gates.
    """
    widths = {example.leaves[name].shape[-1]: gates for name, gates in example.gates.items()}
    outputs = {k: np.asarray(y) for k, y in example.forward(copied(example.leaves))[0].items()}
    bounded = {f"tanh({name})": np.tanh(y) for name, y in outputs.items()}
    kept = list(arrays(example.named(cache)))
    nameless = [item for item in kept if item[0].startswith("cache[")]
    called = [item for item in kept if not item[0].startswith("cache[")]
    named: dict[str, Array] = {}
    for name, a in [
        *called,
        *example.leaves.items(),
        *outputs.items(),
        *bounded.items(),
        *nameless,
    ]:
        named.setdefault(name, a)
        gates = widths.get(a.shape[-1], ()) if a.ndim else ()
        if len(gates) > 1:
            blocks = np.split(a, len(gates), axis=-1)
            named |= {f"{name}[{g}]": b for g, b in zip(gates, blocks, strict=True)}
    factors: dict[str, Array] = {}
    for name, a in named.items():
        factors[name] = a
        factors[f"(1 - {name})"] = 1.0 - a
        factors[f"{name} (1 - {name})"] = a * (1.0 - a)
        factors[f"(1 - {name}^2)"] = 1.0 - a * a
    return factors


def _distinct(factors: Leaves) -> frozenset[str]:
    """The first name of each array."""
    first: dict[tuple[tuple[int, ...], bytes], str] = {}
    for name, a in factors.items():
        first.setdefault((a.shape, a.tobytes()), name)
    return frozenset(first.values())
