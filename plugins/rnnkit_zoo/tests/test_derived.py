"""The step back of each cell is the one that rnnkit derives from its step."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pytest

from rnnkit.kinds import GatedCell, RecurrentCell, map_arrays, named_arrays
from rnnkit.kinds.traced import traced
from rnnkit.tracing import gradient

CELLS = sorted(
    point.name
    for point in entry_points(group=RecurrentCell.group)
    if point.dist is not None and point.dist.name == "rnnkit-zoo"
)


def filled(container: Any, arrays: dict[str, Any], prefix: str) -> Any:
    """A container with other arrays, by the names of its own."""
    names = iter([f"{prefix}{name}" for name, _ in named_arrays(container)])
    return map_arrays(lambda _: arrays[next(names)], container)


@pytest.mark.parametrize("name", CELLS)
def test_the_derived_step_back_is_the_written_one(name: str) -> None:
    (point,) = (p for p in entry_points(group=RecurrentCell.group) if p.name == name)
    cell = point.load()()
    found = gradient(traced(cell))
    at = {name: np.array(node.values[0]) for name, node in found.graph.inputs.items()}
    rng, gated = np.random.default_rng(0), isinstance(cell, GatedCell)
    dtype = np.dtype(np.float64)
    p = filled(cell.init(5, rng, dtype) if gated else cell.init(4, 5, rng, dtype), at, "p.")
    s = filled(cell.start(np.zeros((3, 5))), at, "s.")
    inputs = ["zx", "zh"] if gated else ["x"]
    after, cache = cell.step(p, *(at[x].copy() for x in inputs), s)
    ds = map_arrays(lambda a: rng.standard_normal(a.shape), after)
    *dx, before, dp = cell.step_back(p, ds, cache)
    given = {**dict(zip(inputs, dx, strict=True))}
    given |= {f"s.{n}": a for n, a in named_arrays(before)}
    given |= {f"p.{n}": a for n, a in named_arrays(dp)}
    wanted = found.evaluate(at, {f"s.{n}": a for n, a in named_arrays(ds)})
    for leaf, g in given.items():
        scale = float(np.abs(wanted[leaf]).max(initial=0.0))
        np.testing.assert_allclose(g, wanted[leaf], rtol=0, atol=1e-12 * scale, err_msg=leaf)
