"""One step of each cell: its gradients against a complex step, with a cotangent on every slot."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest

from rnnkit.kinds import (
    Activation,
    Array,
    Arrays,
    Cell,
    GatedCell,
    Params,
    Plugin,
    RecurrentCell,
    State,
    map_arrays,
    named_arrays,
)
from rnnkit.registry import Entry, entries_of, load
from rnnkit_builtin.cells.gru_reset_before import GRUResetBefore
from rnnkit_builtin.cells.lstm import LSTM
from rnnkit_builtin.cells.peephole_lstm import PeepholeLSTM
from rnnkit_builtin.cells.vanilla import Vanilla
from rnnkit_builtin.initializers.orthogonal import Orthogonal

N, D, H = 3, 5, 4


@attrs.frozen
class Inputs(Arrays):
    """All that one step depends on, and the gradients with respect to it.

    Attributes:
        x: (N, D) for a free-form cell, zx for a gated one.
        zh: zh for a gated cell, nothing for a free-form one.
    """

    p: Params
    x: Array
    zh: Array
    s: State


def cells() -> dict[str, RecurrentCell[Any, Any, Any]]:
    """Every built-in cell as it is, and the vanilla one with every built-in activation."""
    every = {e.name: load(RecurrentCell, e.full_name)() for e in builtin(RecurrentCell)}
    for e in builtin(Activation):
        every[f"vanilla {e.name}"] = Vanilla(load(Activation, e.full_name)())
    return every


def builtin(kind: type[Plugin]) -> list[Entry]:
    return [e for e in entries_of(kind) if e.package == "rnnkit"]


CELLS = cells()


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest) -> RecurrentCell[Any, Any, Any]:
    return CELLS[request.param]


def random_like(a: Arrays, rng: np.random.Generator) -> Any:
    return map_arrays(lambda v: rng.standard_normal(v.shape), a)


def random_inputs(cell: RecurrentCell[Any, Any, Any], rng: np.random.Generator) -> Inputs:
    dtype = np.dtype(np.float64)
    if isinstance(cell, GatedCell):
        p, widths = cell.init(H, rng, dtype), (len(cell.x_gates) * H, len(cell.h_gates) * H)
    else:
        assert isinstance(cell, Cell)
        p, widths = cell.init(D, H, rng, dtype), (D, 0)
    inputs = Inputs(
        p,
        np.empty((N, widths[0])),
        np.empty((N, widths[1])),
        cell.start(np.empty((N, cell.start_width(H)))),
    )
    filled: Inputs = random_like(inputs, rng)
    return filled


def step(cell: RecurrentCell[Any, Any, Any], at: Inputs) -> tuple[Any, Any]:
    if isinstance(cell, GatedCell):
        return cell.step(at.p, at.x.copy(), at.zh.copy(), at.s)
    assert isinstance(cell, Cell)
    return cell.step(at.p, at.x, at.s)


def step_back(cell: RecurrentCell[Any, Any, Any], at: Inputs, ds: Any, cache: Any) -> Inputs:
    if isinstance(cell, GatedCell):
        dzx, dzh, ds_prev, dp = cell.step_back(at.p, ds, cache)
        return Inputs(dp, dzx, dzh, ds_prev)
    assert isinstance(cell, Cell)
    dx, ds_prev, dp = cell.step_back(at.p, ds, cache)
    return Inputs(dp, dx, np.zeros_like(at.zh), ds_prev)


def only(path: str, a: Inputs) -> Inputs:
    """`a` with zeros everywhere but in one array."""
    paths = iter([name for name, _ in named_arrays(a)])
    return map_arrays(lambda v: v if next(paths) == path else 0.0 * v, a)


def product(a: Arrays, b: Arrays) -> float:
    pairs = zip(named_arrays(a), named_arrays(b), strict=True)
    return float(sum(np.sum(u * v) for (_, u), (_, v) in pairs))


def test_every_gradient_of_a_step_agrees_with_a_complex_step(
    cell: RecurrentCell[Any, Any, Any],
) -> None:
    rng = np.random.default_rng(5)
    at = random_inputs(cell, rng)
    s, cache = step(cell, at)
    ds, direction = random_like(s, rng), random_like(at, rng)
    gradients = step_back(cell, at, ds, cache)
    for path, _ in named_arrays(at):
        v = only(path, direction)
        moved = step(cell, map_arrays(lambda a, u: a + 1e-30j * u, at, v))[0]
        slope = product(map_arrays(lambda a: a.imag / 1e-30, moved), ds)
        assert product(gradients, v) == pytest.approx(slope, rel=1e-13), path


def test_a_step_changes_neither_state_nor_parameters(cell: RecurrentCell[Any, Any, Any]) -> None:
    rng = np.random.default_rng(6)
    at = random_inputs(cell, rng)
    kept = map_arrays(np.copy, at)
    s, cache = step(cell, at)
    ds = random_like(s, rng)
    kept_ds = map_arrays(np.copy, ds)
    first = step_back(cell, at, ds, cache)
    again = step_back(cell, at, ds, cache)
    for before, after in [(kept, at), (kept_ds, ds), (first, again)]:
        for (path, a), (_, b) in zip(named_arrays(before), named_arrays(after), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=path)


def test_a_step_in_float32_stays_in_float32(cell: RecurrentCell[Any, Any, Any]) -> None:
    rng = np.random.default_rng(7)
    at = map_arrays(lambda a: a.astype(np.float32), random_inputs(cell, rng))
    s, cache = step(cell, at)
    gradients = step_back(cell, at, map_arrays(np.ones_like, s), cache)
    for path, a in [*named_arrays(s), *named_arrays(gradients)]:
        assert a.dtype == np.float32, path


@pytest.mark.parametrize("name", [name for name, c in CELLS.items() if isinstance(c, GatedCell)])
def test_the_state_stands_alone_when_the_lent_arrays_are_overwritten(name: str) -> None:
    cell = CELLS[name]
    assert isinstance(cell, GatedCell)
    at = random_inputs(cell, np.random.default_rng(8))
    zx, zh = at.x.copy(), at.zh.copy()
    s, cache = cell.step(at.p, zx, zh, at.s)
    expected, cache_alone = step(cell, at)
    zx[...] = zh[...] = np.nan
    ds = map_arrays(np.ones_like, s)
    here, there = step_back(cell, at, ds, cache), step_back(cell, at, ds, cache_alone)
    for a, b in [(s, expected), (here, there)]:
        for (path, u), (_, v) in zip(named_arrays(a), named_arrays(b), strict=True):
            np.testing.assert_array_equal(u, v, err_msg=path)


@pytest.mark.parametrize("cell", [LSTM(forget_bias=1.5), PeepholeLSTM(forget_bias=1.5)])
def test_the_forget_gate_begins_with_its_bias(cell: LSTM | PeepholeLSTM) -> None:
    assert [cell.bias(gate) for gate in cell.x_gates] == [0.0, 1.5, 0.0, 0.0]


def test_the_free_form_gru_fills_its_blocks_gate_by_gate() -> None:
    cell = GRUResetBefore(input_weights=Orthogonal(), recurrent_weights=Orthogonal())
    p = cell.init(H, H, np.random.default_rng(9), np.dtype(np.float64))
    for block in [*np.split(p.Wx, 3, axis=1), *np.split(p.Wh, 2, axis=1), p.Wn]:
        np.testing.assert_allclose(block.T @ block, np.eye(H), rtol=0, atol=1e-14)
    assert not p.b.any()
