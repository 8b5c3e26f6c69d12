"""Sequences over cells: equal to PyTorch's, to a complex step, and free of padding."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

import rnnkit.system.process
from rnnkit.errors import ShapeError
from rnnkit.kinds import (
    Activation,
    Array,
    DType,
    GatedCell,
    NoParams,
    Params,
    RecurrentCell,
    Rng,
    State,
    map_arrays,
    named_arrays,
)
from rnnkit.network import Packing, Recurrence, recurrent_layer
from rnnkit.numerics import blocks, sigmoid
from rnnkit.registry import load
from rnnkit.spec.schema import builtin
from rnnkit.system.process import Threads
from rnnkit.testing.report import explain
from rnnkit.testing.targets import of_class, run

CELLS: list[tuple[str, dict[str, Any]]] = [
    ("vanilla", {}),
    ("lstm", {"forget_bias": 0.5}),
    ("gru", {}),
    ("gru-reset-before", {}),
    ("peephole-lstm", {}),
]
LENGTHS = np.array([3, 0, 5, 1, 5])


def recurrence(name: str, options: dict[str, Any], d: int, h: int) -> Recurrence[Any, Any, Any]:
    cell: RecurrentCell[Any, Any, Any] = load(RecurrentCell, f"rnnkit:{name}")(**options)
    return recurrent_layer(cell, d, h, np.random.default_rng(7))


TORCH = np.load(Path(__file__).parent / "reference" / "torch_reference.npz")
TORCH_CASES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "vanilla": [("vanilla", {})],
    "vanilla relu": [("vanilla", {"activation": builtin(Activation, "relu")})],
    "vanilla sigmoid": [("vanilla", {"activation": builtin(Activation, "sigmoid")})],
    "lstm": [("lstm", {})],
    "lstm on lstm": [("lstm", {}), ("lstm", {})],
    "gru": [("gru", {})],
    "gru-reset-before": [("gru-reset-before", {})],
    "peephole-lstm": [("peephole-lstm", {})],
}


def test_every_recorded_cell_is_compared() -> None:
    recorded = {key.split("/")[1] for key in TORCH.files if key.startswith("cells/")}
    assert recorded == set(TORCH_CASES)


@pytest.mark.parametrize("case", TORCH_CASES)
def test_sequences_of_different_lengths_agree_with_pytorch(case: str) -> None:
    want = {k.removeprefix(f"cells/{case}/"): TORCH[k] for k in TORCH.files if f"/{case}/" in k}
    packing = Packing.of_lengths(want["lengths"])
    h = packing.pack(want["x"])
    levels, tapes = [], []
    for i, (name, options) in enumerate(TORCH_CASES[case]):
        rnn = recurrence(name, options, h.shape[1], want["h0"].shape[2])
        names = iter([f"p.{i}.{path}" for path, _ in named_arrays(rnn.params)])
        levels.append(rnn.with_params(map_arrays(lambda _, n=names: want[next(n)], rnn.params)))
        h, tape = levels[-1].forward(h, packing.enter(want["h0"][i]), packing)
        tapes.append(tape)
    agree(packing.unpack(h, want["h"].shape[1]), want["h"])
    d = packing.pack(want["dh"])
    for i, (rnn, tape) in reversed(list(enumerate(zip(levels, tapes, strict=True)))):
        d, dh0, dp = rnn.backward(d, tape)
        agree(packing.leave(dh0), want["dh0"][i])
        for path, gradient in named_arrays(dp):
            agree(gradient, want[f"d.{i}.{path}"])
    agree(packing.unpack(d, want["x"].shape[1]), want["dx"])


def agree(got: Array, want: Array) -> None:
    assert got.shape == want.shape
    assert np.max(np.abs(got - want)) <= 1e-13 * max(1.0, np.max(np.abs(want)))


@pytest.mark.parametrize(("name", "options"), CELLS, ids=[name for name, _ in CELLS])
def test_sequence_gradients_agree_with_a_complex_step(name: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    rnn = recurrence(name, options, 3, 4)
    packing = Packing.of_lengths(LENGTHS)
    x, h0 = rng.standard_normal((14, 3)), rng.standard_normal((4, 4))
    h, tape = rnn.forward(x, h0, packing)
    dh = rng.standard_normal(h.shape)
    dx, dh0, dp = rnn.backward(dh, tape)

    def along(vx: Array, vh0: Array, vp: Params) -> float:
        """The derivative of sum(h dh) in a direction, exact to rounding."""
        eps = 1e-30j
        moved = rnn.with_params(map_arrays(lambda p, v: p + eps * v, rnn.params, vp))
        out = moved.forward(x + eps * vx, h0 + eps * vh0, packing)[0]
        return float(np.sum(out.imag * dh) / 1e-30)

    zero = map_arrays(np.zeros_like, rnn.params)
    vx, vh0 = rng.standard_normal(x.shape), rng.standard_normal(h0.shape)
    assert along(vx, 0 * vh0, zero) == pytest.approx(np.sum(dx * vx), rel=1e-12)
    assert along(0 * vx, vh0, zero) == pytest.approx(np.sum(dh0 * vh0), rel=1e-12)
    for path, gradient in named_arrays(dp):
        v = rng.standard_normal(gradient.shape)
        only = _only(zero, path, v)
        assert along(0 * vx, 0 * vh0, only) == pytest.approx(np.sum(gradient * v), rel=1e-12), path


def _only(zero: Params, path: str, v: Array) -> Params:
    names = iter([name for name, _ in named_arrays(zero)])
    return map_arrays(lambda a: v if next(names) == path else a, zero)


@pytest.mark.parametrize(("name", "options"), CELLS, ids=[name for name, _ in CELLS])
def test_packed_rows_equal_each_row_alone(name: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    rnn = recurrence(name, options, 3, 4)
    packing = Packing.of_lengths(LENGTHS)
    x, h0 = rng.standard_normal((5, 5, 3)), rng.standard_normal((5, 4))
    together = rnn.forward(packing.pack(x), packing.enter(h0), packing)[0]
    h = packing.unpack(together, 5)
    for row, length in enumerate(LENGTHS.tolist()):
        state = rnn.start(h0[row : row + 1])
        for t in range(length):
            state = rnn.advance(rnn.project(x[row : row + 1, t]), state)
            np.testing.assert_allclose(h[row, t], state.h[0], rtol=0, atol=1e-15)
        assert np.all(h[row, length:] == 0)


@pytest.mark.parametrize(("name", "options"), CELLS, ids=[name for name, _ in CELLS])
def test_distinct_inputs_give_what_all_of_them_give(name: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    rnn = recurrence(name, options, 3, 4)
    packing = Packing.of_lengths(LENGTHS)
    words, rows = rng.standard_normal((6, 3)), rng.integers(0, 5, 14)  # the last word never comes
    h0, dh = rng.standard_normal((4, 4)), rng.standard_normal((14, 4))
    h, tape = rnn.forward(words[rows], h0, packing)
    few, few_tape = rnn.forward(words, h0, packing, rows)
    agree(few, h)
    (dx, dh0, dp), (dwords, few_dh0, few_dp) = rnn.backward(dh, tape), rnn.backward(dh, few_tape)
    summed = np.zeros_like(words)
    np.add.at(summed, rows, dx)
    agree(dwords, summed)
    agree(few_dh0, dh0)
    for (_, got), (_, want) in zip(named_arrays(few_dp), named_arrays(dp), strict=True):
        agree(got, want)


@pytest.mark.parametrize("distinct", [False, True], ids=["every input", "distinct inputs"])
@pytest.mark.parametrize(("name", "options"), CELLS, ids=[name for name, _ in CELLS])
def test_a_context_gives_what_it_gives_beside_every_input(
    name: str, options: dict[str, Any], distinct: bool
) -> None:
    rng = np.random.default_rng(3)
    rnn = recurrence(name, options, 5, 4)
    packing = Packing.of_lengths(LENGTHS)
    rows = rng.integers(0, 6, 14) if distinct else None
    x = rng.standard_normal((6 if distinct else 14, 3))
    of_all = rng.standard_normal((packing.count, 2))
    h0, dh = rng.standard_normal((4, 4)), rng.standard_normal((14, 4))
    beside = np.concatenate([x if rows is None else x[rows], of_all[packing.rows]], axis=1)
    want, want_tape = rnn.forward(beside, h0, packing)
    h, tape = rnn.forward(x, h0, packing, rows, packing.enter(of_all))
    agree(h, want)
    want_dx, _, want_dh0, want_dp = rnn.some_back(dh, want_tape, params=True)
    dx, dcontext, dh0, dp = rnn.some_back(dh, tape, params=True)
    assert dp is not None
    assert want_dp is not None
    summed, of_context = np.zeros_like(x), np.zeros_like(of_all)
    np.add.at(summed, np.arange(14) if rows is None else rows, want_dx[:, :3])
    np.add.at(of_context, packing.rows, want_dx[:, 3:])
    agree(dx, summed)
    assert dcontext is not None
    agree(packing.leave(dcontext), of_context)
    agree(dh0, want_dh0)
    for (_, got), (_, value) in zip(named_arrays(dp), named_arrays(want_dp), strict=True):
        agree(got, value)
    first, live = rnn.start(h0), packing.order
    after = rnn.advance(
        rnn.project(x[:4] if rows is None else x[rows[:4]]),
        first,
        rnn.project_context(of_all[live]),
    )
    agree(after.h, want[:4])


def test_a_context_of_another_shape_is_told() -> None:
    rnn, packing = recurrence("lstm", {}, 5, 4), Packing.of_lengths(LENGTHS)
    x, h0 = np.zeros((14, 3)), np.zeros((4, 4))
    with pytest.raises(
        ShapeError, match=r"context is \(5, 2\), and 4 of 5 sequences .*\(4, at most 5\)"
    ):
        rnn.forward(x, h0, packing, context=np.zeros((5, 2)))
    with pytest.raises(ShapeError, match=r"x is \(14, 3\), .*the context has 1 of D: \(.., 4\)"):
        rnn.forward(x, h0, packing, context=np.zeros((4, 1)))


@pytest.mark.parametrize(("name", "options"), CELLS, ids=[name for name, _ in CELLS])
def test_float32_in_gives_float32_out(name: str, options: dict[str, Any]) -> None:
    rnn = recurrence(name, options, 3, 4)
    rnn = rnn.with_params(map_arrays(lambda a: a.astype(np.float32), rnn.params))
    packing = Packing.of_lengths(LENGTHS)
    h, tape = rnn.forward(np.ones((14, 3), np.float32), np.ones((4, 4), np.float32), packing)
    dx, dh0, dp = rnn.backward(np.ones_like(h), tape)
    arrays = [h, dx, dh0, *(a for _, a in named_arrays(dp))]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}


@attrs.frozen
class FewerProducts(GatedCell[NoParams, State, tuple[Array, Array, Array]]):
    """f = sigmoid(x_f);  n = tanh(x_n + h_n);  h' = f h + (1 - f) n: one product with h, two with x."""

    x_gates: ClassVar[tuple[str, ...]] = ("f", "n")
    h_gates: ClassVar[tuple[str, ...]] = ("n",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(
        self, p: NoParams, zx: Array, zh: Array, s: State
    ) -> tuple[State, tuple[Array, Array, Array]]:
        xf, xn = blocks(zx, 2)
        f, n = sigmoid(xf), np.tanh(xn + zh if self.h_gates else xn)
        return State(f * s.h + (1.0 - f) * n), (f, n, s.h)

    def step_back(
        self, p: NoParams, ds: State, cache: tuple[Array, Array, Array]
    ) -> tuple[Array, Array, State, NoParams]:
        f, n, h = cache
        dn = ds.h * (1.0 - f) * (1.0 - n * n)
        dzx = np.concatenate((ds.h * (h - n) * f * (1.0 - f), dn), axis=-1)
        return dzx, dn if self.h_gates else dn[:, :0], State(ds.h * f), p


@attrs.frozen
class NoProducts(FewerProducts):
    """The same without any product with h."""

    h_gates: ClassVar[tuple[str, ...]] = ()


@pytest.mark.parametrize("cell", [FewerProducts, NoProducts])
@pytest.mark.parametrize("threads", [1, 3])
def test_gates_of_x_and_of_h_need_not_be_as_many(
    cell: type[FewerProducts], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rnnkit.system.process, "_threads", Threads(threads, lambda: threads, True))
    monkeypatch.setattr(rnnkit.system.process, "GRAIN", 4)
    report = run(of_class(cell, cell.__name__, __file__))
    assert report.ok, explain(report, 0)


def test_a_tape_is_used_up_only_if_it_is_not_needed_again() -> None:
    rng = np.random.default_rng(0)
    packing = Packing.of_lengths(np.array([3, 1, 2]))
    for cell in ("lstm", "attention-lstm"):
        made = load(RecurrentCell, cell)()
        start = made.start_width(4)
        rnn = recurrent_layer(made, 5, 4, rng, np.dtype(np.float64))
        x, h0 = rng.standard_normal((6, 5)), rng.standard_normal((3, start))
        h, tape = rnn.forward(x, h0, packing)
        wanted = rnn.some_back(np.ones_like(h), tape, params=True)
        assert len(tape.tape.caches) == 3
        found = rnn.some_back(np.ones_like(h), tape, params=True, again=False)
        assert tape.tape.caches == []
        for a, b in ((wanted[0], found[0]), (wanted[2], found[2])):
            np.testing.assert_array_equal(a, b)
