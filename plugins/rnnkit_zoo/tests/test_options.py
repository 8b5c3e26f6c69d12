"""What the options of cells do, by their equations, and what stands where numbers are extreme."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnkit.kinds import Array, NoParams, State
from rnnkit_zoo.cells.antisymmetric_rnn import AntisymmetricParams, AntisymmetricRNN
from rnnkit_zoo.cells.min_gru import MinGRU
from rnnkit_zoo.cells.min_lstm import MinLSTM
from rnnkit_zoo.cells.multiplicative_lstm import MultiplicativeLSTM
from rnnkit_zoo.cells.rhn import RHN
from rnnkit_zoo.cells.s_lstm import SLSTM, SLSTMCache, SLSTMState

N, D, H = 3, 2, 4
NONE = np.empty((N, 0))


def drawn(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def logistic(x: Array) -> Array:
    """By another formula than the cells' own."""
    y: Array = 0.5 + 0.5 * np.tanh(0.5 * x)
    return y


def positive(x: Array) -> Array:
    return np.array([v + 0.5 if v >= 0 else 1 / (1 + np.exp(-v)) for v in x.flat]).reshape(x.shape)


def test_positive_candidates_of_min_gru_go_through_g() -> None:
    h, zx = drawn(N, H), drawn(N, 2 * H)
    u, n = logistic(zx[:, :H]), positive(zx[:, H:])
    got = MinGRU(positive=True).step(NoParams(), zx, NONE, State(h))[0].h
    np.testing.assert_allclose(got, (1 - u) * h + u * n, rtol=0, atol=1e-14)


def test_positive_candidates_of_min_lstm_go_through_g() -> None:
    h, zx = drawn(N, H), drawn(N, 3 * H)
    i, f, n = logistic(zx[:, :H]), logistic(zx[:, H : 2 * H]), positive(zx[:, 2 * H :])
    got = MinLSTM(positive=True).step(NoParams(), zx, NONE, State(h))[0].h
    np.testing.assert_allclose(got, (f * h + i * n) / (f + i), rtol=0, atol=1e-14)


def test_min_lstm_weighs_gates_that_are_both_as_good_as_closed() -> None:
    zx = np.array([[-2000.0, -2001.0, 1.0]])  # i is e times f, and both are 0 in floating point
    got = MinLSTM().step(NoParams(), zx, NONE[:1], State(np.zeros((1, 1))))[0].h
    np.testing.assert_allclose(got, np.e / (np.e + 1))


@pytest.mark.parametrize("depth", [1, 3])
def test_rhn_has_as_many_layers_as_its_depth_says(depth: int) -> None:
    cell, x, s = RHN(depth=depth, transform_bias=-2.0), drawn(N, D), drawn(N, H)
    p = cell.init(D, H, np.random.default_rng(0), np.dtype(np.float64))
    assert p.R.shape == (depth, H, 2 * H)
    got = cell.step(p, x, State(s))[0].h
    for layer in range(depth):
        R, from_x = p.R[layer], x @ p.Wx * (layer == 0)
        g = np.tanh(s @ R[:, :H] + from_x[:, :H])
        t = logistic(s @ R[:, H:] + from_x[:, H:] - 2.0)
        s = t * g + (1 - t) * s
    np.testing.assert_allclose(got, s, rtol=0, atol=1e-14)


def test_a_gated_antisymmetric_step_is_scaled_by_its_gate() -> None:
    x, h, W, b = drawn(N, D), drawn(N, H), drawn(H, H), drawn(2 * H)
    Wx = drawn(D, 2 * H)
    cell = AntisymmetricRNN(epsilon=0.3, gamma=0.2, gated=True)
    got = cell.step(AntisymmetricParams(Wx, W, b), x, State(h))[0].h
    a = h @ (W - W.T - 0.2 * np.eye(H))
    xn, xz = x @ Wx[:, :H] + b[:H], x @ Wx[:, H:] + b[H:]
    want = h + 0.3 * logistic(a + xz) * np.tanh(a + xn)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-14)


@pytest.mark.parametrize("cell", [SLSTM, MinLSTM, MultiplicativeLSTM])
def test_only_the_forget_gate_begins_with_the_forget_bias(cell: Any) -> None:
    made = cell(forget_bias=1.5)
    assert {gate for gate in made.x_gates if made.bias(gate) == 1.5} == {"f"}
    assert {made.bias(gate) for gate in made.x_gates} == {0.0, 1.5}


def s_lstm_outputs(cell: SLSTM, zs: Array, s: SLSTMState) -> tuple[list[Array], list[Array]]:
    """h after each step on gates zs (T, N, 4H), and the gradients of their sum with respect to zs."""
    hs: list[Array] = []
    dzs: list[Array] = []
    caches: list[SLSTMCache] = []
    for z in zs:
        s, cache = cell.step(NoParams(), z.copy(), np.zeros_like(z), s)
        hs.append(s.h)
        caches.append(cache)
    ds = SLSTMState(*(np.zeros((N, H)) for _ in "hcnm"))
    for cache in reversed(caches):
        ds = SLSTMState(ds.h + 1.0, ds.c, ds.n, ds.m)
        dz, _, ds, _ = cell.step_back(NoParams(), ds, cache)
        dzs.insert(0, dz)
    return hs, dzs


def test_an_exponential_forget_gate_of_s_lstm_is_one() -> None:
    zs = drawn(4, N, 4 * H)
    hs, _ = s_lstm_outputs(SLSTM(forget="exp"), zs, SLSTM().start(drawn(N, H)))
    C, total = np.zeros((N, H)), np.zeros((N, H))
    for z, h in zip(zs, hs, strict=True):
        i, f, o, g = np.exp(z[:, :H]), np.exp(z[:, H : 2 * H]), z[:, 2 * H : 3 * H], z[:, 3 * H :]
        C, total = f * C + i * np.tanh(g), f * total + i
        np.testing.assert_allclose(h, logistic(o) * C / total, rtol=0, atol=1e-14)


@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
@pytest.mark.parametrize("shift", [-40.0, 40.0])
def test_what_the_stabilizer_of_s_lstm_is_changes_nothing(forget: Any, shift: float) -> None:
    cell, zs = SLSTM(forget=forget), drawn(4, N, 4 * H)
    s, _ = cell.step(NoParams(), drawn(N, 4 * H), np.zeros((N, 4 * H)), cell.start(drawn(N, H)))
    scale = np.exp(-shift)
    other = SLSTMState(s.h, s.c * scale, s.n * scale, s.m + shift)
    for a, b in zip(s_lstm_outputs(cell, zs, s), s_lstm_outputs(cell, zs, other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
def test_gates_of_s_lstm_may_be_extreme(forget: Any) -> None:
    zs = drawn(5, N, 4 * H)
    zs[..., : 2 * H] *= 2e3  # beyond what exp can hold, and differently at every step
    cell = SLSTM(forget=forget)
    hs, dzs = s_lstm_outputs(cell, zs, cell.start(drawn(N, H)))
    assert np.all(np.abs(hs) <= 1.0)
    assert np.isfinite(dzs).all()
