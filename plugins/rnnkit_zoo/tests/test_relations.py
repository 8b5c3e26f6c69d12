"""Cells that become one another, or a closed form; and what their options and initial values are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rnnkit
from rnnkit.kinds import Array, GatedCell, NoParams, RecurrentCell, State, map_arrays
from rnnkit_zoo.cells.cifg_lstm import CIFGLSTM, CIFGState
from rnnkit_zoo.cells.indrnn import IndRNN, IndRNNParams
from rnnkit_zoo.cells.janet import JANET
from rnnkit_zoo.cells.layer_norm_lstm import LayerNormLSTM
from rnnkit_zoo.cells.light_gru import LightGRU
from rnnkit_zoo.cells.sru import SRU
from rnnkit_zoo.cells.ugrnn import UGRNN

N, D, H = 3, 2, 4
DOUBLE = np.dtype(np.float64)


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([sum(shape), seed]).standard_normal(shape)


def near(got: Array, want: Array, atol: float = 1e-14) -> None:
    np.testing.assert_allclose(got, want, rtol=0, atol=atol)


def test_cifg_is_an_lstm_whose_input_gate_sees_the_forget_gate_negated() -> None:
    lstm: Any = rnnkit.load_plugin(RecurrentCell, "rnnkit:lstm")
    z, h, c = drawn(N, 3 * H), drawn(N, H), drawn(N, H, seed=1)
    none = np.zeros((N, 3 * H))
    got, cache = CIFGLSTM().step(NoParams(), z.copy(), none, CIFGState(h, c))
    f, o, g = np.split(z, 3, axis=1)
    start = attrs_like(lstm.start(h), h, c)
    want, lstm_cache = lstm.step(NoParams(), np.hstack((-f, f, o, g)), np.zeros((N, 4 * H)), start)
    near(got.h, want.h)
    near(got.c, want.c)
    dh, dc = drawn(N, H, seed=2), drawn(N, H, seed=3)
    dz, _, before, _ = CIFGLSTM().step_back(NoParams(), CIFGState(dh, dc), cache)
    wide, _, lstm_before, _ = lstm.step_back(NoParams(), attrs_like(start, dh, dc), lstm_cache)
    di, df, do, dg = np.split(wide, 4, axis=1)
    near(dz, np.hstack((df - di, do, dg)))
    near(before.c, lstm_before.c)


def attrs_like(s: Any, *values: Array) -> Any:
    """A state of the same class with these slots."""
    rest = iter(values)
    return map_arrays(lambda _: next(rest), s)


def test_janet_without_beta_is_the_update_gate_rnn() -> None:
    z, zero, s = drawn(N, 2 * H), np.zeros((N, 2 * H)), State(drawn(N, H))
    got, cache = JANET(beta=0.0).step(NoParams(), z.copy(), zero.copy(), s)
    want, other = UGRNN().step(NoParams(), z.copy(), zero.copy(), s)
    near(got.h, want.h)
    ds = State(drawn(N, H, seed=1))
    near(
        JANET(beta=0.0).step_back(NoParams(), ds, cache)[0],
        UGRNN().step_back(NoParams(), ds, other)[0],
    )


def test_janet_writes_more_than_it_forgets() -> None:
    z, s = np.zeros((1, 2)), State(np.ones((1, 1)))
    z[0, 1] = 50.0  # a candidate of 1
    h = JANET(beta=1.0).step(NoParams(), z, np.zeros((1, 2)), s)[0].h
    near(h, np.array([[0.5 + np.e / (1 + np.e)]]))


def test_layer_norm_lstm_does_not_see_the_scale_and_the_mean_of_its_sums() -> None:
    cell = LayerNormLSTM(eps=1e-14)
    p = cell.init(H, np.random.default_rng(0), DOUBLE)
    zx, zh, s = drawn(N, 4 * H), drawn(N, 4 * H, seed=1), cell.start(drawn(N, H))
    plain = cell.step(p, zx.copy(), zh.copy(), s)[0]
    near(cell.step(p, 3.0 * zx - 2.0, 0.5 * zh + 7.0, s)[0].h, plain.h, atol=1e-11)


def test_indrnn_units_see_only_themselves() -> None:
    p, zx, h = IndRNNParams(u=drawn(H)), drawn(N, H), drawn(N, H, seed=1)
    changed = h.copy()
    changed[:, 0] += 1.0
    before, after = (
        IndRNN().step(p, zx.copy(), np.empty((N, 0)), State(v))[0].h for v in (h, changed)
    )
    np.testing.assert_array_equal(before[:, 1:], after[:, 1:])
    near(before, np.maximum(zx + p.u * h, 0.0))


def test_indrnn_weights_begin_between_0_and_the_largest() -> None:
    u = IndRNN(largest=0.4).init(10_000, np.random.default_rng(0), DOUBLE).u
    assert 0.0 <= u.min() < 1e-3
    assert 0.399 < u.max() <= 0.4
    assert u.mean() == pytest.approx(0.2, abs=5e-3)


def test_what_the_image_gives_begins_as_the_memory_of_sru() -> None:
    cell, h0 = SRU(), drawn(N, H)
    s = cell.start(h0)
    np.testing.assert_array_equal(s.c, h0)
    zx = np.hstack([np.full((N, H), 50.0)] * 2 + [drawn(N, 2 * H)])  # both gates open
    p = cell.init(H, np.random.default_rng(0), DOUBLE)
    near(cell.step(p, zx, np.empty((N, 0)), s)[0].h, h0)


def test_a_closed_highway_gate_of_sru_lets_the_input_by() -> None:
    cell = SRU()
    p, xs = cell.init(H, np.random.default_rng(0), DOUBLE), drawn(N, H)
    zx = np.hstack((drawn(N, H), np.full((N, H), -50.0), drawn(N, H, seed=1), xs))
    near(cell.step(p, zx, np.empty((N, 0)), cell.start(drawn(N, H)))[0].h, xs)


@pytest.mark.parametrize(
    ("cell", "gate"),
    [
        (CIFGLSTM(forget_bias=1.5), "f"),
        (JANET(forget_bias=1.5), "f"),
        (UGRNN(forget_bias=1.5), "u"),
        (SRU(highway_bias=1.5), "r"),
    ],
)
def test_only_the_gate_that_is_meant_begins_with_its_bias(
    cell: GatedCell[Any, Any, Any], gate: str
) -> None:
    biases = {g: cell.bias(g) for g in cell.x_gates}
    assert biases == dict.fromkeys(cell.x_gates, 0.0) | {gate: 1.5}


def test_the_forget_bias_of_layer_norm_lstm_comes_after_the_norm() -> None:
    cell = LayerNormLSTM(forget_bias=1.5)
    bias = cell.init(H, np.random.default_rng(0), DOUBLE).bias
    np.testing.assert_array_equal(bias, [0.0] * H + [1.5] * H + [0.0] * 2 * H)
    assert {cell.bias(gate) for gate in cell.x_gates} == {0.0}


@pytest.mark.parametrize("cell", [CIFGLSTM(), JANET(), LayerNormLSTM(), LightGRU(), SRU(), UGRNN()])
def test_gates_may_be_extreme(cell: GatedCell[Any, Any, Any]) -> None:
    p, s = cell.init(H, np.random.default_rng(0), DOUBLE), cell.start(drawn(N, H))
    zx = 2e3 * drawn(N, len(cell.x_gates) * H)  # beyond what exp can hold
    zh = 2e3 * drawn(N, len(cell.h_gates) * H, seed=1)
    after, cache = cell.step(p, zx, zh, s)
    dzx, dzh, before, _ = cell.step_back(p, map_arrays(np.ones_like, after), cache)
    for a in (after.h, dzx, dzh, before.h):
        assert np.isfinite(a).all()
