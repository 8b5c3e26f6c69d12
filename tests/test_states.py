"""A recurrent layer driven from outside: from a whole state to the final one, and what does not fit is told by name.

Only public names are used here; a user can write all of this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

import rnnkit
from rnnkit.kinds import (
    Array,
    GatedCell,
    Initializer,
    Ints,
    NoParams,
    Params,
    RecurrentCell,
    State,
    map_arrays,
    named_arrays,
)
from rnnkit.network import GatedParams, GatedRecurrence, Packing, Recurrence, recurrent_layer
from rnnkit.registry import load
from tests.torch_reference import Case, cases, parameters

D, H = 3, 4
LENGTHS = np.array([3, 0, 5, 1, 5])
CELLS = ["vanilla", "lstm", "gru", "gru-reset-before", "peephole-lstm", "attention-lstm"]


def cell(name: str) -> RecurrentCell[Any, Any, Any]:
    made: RecurrentCell[Any, Any, Any] = load(RecurrentCell, f"rnnkit:{name}")()
    return made


def gated(name: str) -> GatedCell[Any, Any, Any]:
    made = cell(name)
    assert isinstance(made, GatedCell)
    return made


def layer(name: str) -> Recurrence[Any, Any, Any]:
    return recurrent_layer(cell(name), D, H, np.random.default_rng(7))


def filled(like: Any, values: Case) -> Any:
    """A container like this one with the values of these names."""
    names = iter([name for name, _ in named_arrays(like)])
    return map_arrays(lambda _: values[next(names)], like)


def agree(got: Array, want: Array, what: str, tolerance: float = 1e-12) -> None:
    assert got.shape == want.shape, what
    assert np.max(np.abs(got - want), initial=0.0) <= tolerance, what


def test_every_recorded_cell_is_compared() -> None:
    assert set(cases("states")) == {"lstm", "gru"}


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_from_a_given_state_to_the_final_one_and_back_is_what_pytorch_computes(name: str) -> None:
    want = cases("states")[name]
    rnn, packing = layer(name), Packing.of_lengths(want["lengths"])
    rnn = rnn.with_params(filled(rnn.params, parameters(want, "p.")))
    like = rnn.start(np.zeros((len(LENGTHS), H)))
    state = filled(like, parameters(want, "start."))

    h, final, tape = rnn.run(packing.pack(want["x"]), state, packing)
    agree(packing.unpack(h, want["h"].shape[1]), want["h"], "h")
    for slot, a in named_arrays(final):
        agree(a, want[f"final.{slot}"], f"final {slot}")

    dfinal = filled(like, parameters(want, "dfinal."))
    dx, dstate, dparams = rnn.run_back(packing.pack(want["dh"]), tape, dfinal)
    agree(packing.unpack(dx, want["x"].shape[1]), want["dx"], "dx")
    for slot, a in named_arrays(dstate):
        agree(a, want[f"dstart.{slot}"], f"dstart {slot}")
    gradients = dict(named_arrays(dparams))
    assert set(gradients) == set(parameters(want, "p."))
    for path, gradient in gradients.items():
        agree(gradient, want[f"d.{path}"], path)


def test_weights_of_ones_own_make_a_layer() -> None:
    want = cases("states")["lstm"]
    params = GatedParams(want["p.Wx"], want["p.Wh"], want["p.b"], NoParams())
    rnn: Recurrence[Any, Any, Any] = GatedRecurrence(gated("lstm"), params)
    packing = Packing.of_lengths(want["lengths"])
    state = attrs.evolve(rnn.start(want["start.h"]), c=want["start.c"])
    _, final, _ = rnn.run(packing.pack(want["x"]), state, packing)
    agree(final.c, want["final.c"], "c")


@pytest.mark.parametrize("name", CELLS)
def test_gradients_of_a_run_agree_with_a_complex_step(name: str) -> None:
    rng, rnn, packing = np.random.default_rng(1), layer(name), Packing.of_lengths(LENGTHS)
    x = rng.standard_normal((14, D))
    width = rnn.cell.start_width(rnn.hidden)
    state = map_arrays(
        lambda a: a + rng.standard_normal(a.shape), rnn.start(np.zeros((len(LENGTHS), width)))
    )
    h, final, tape = rnn.run(x, state, packing)
    dh, dfinal = (
        rng.standard_normal(h.shape),
        map_arrays(lambda a: rng.standard_normal(a.shape), final),
    )
    gradients = rnn.run_back(dh, tape, dfinal)
    with_none = rnn.run_back(dh, tape)
    with_zeros = rnn.run_back(dh, tape, map_arrays(np.zeros_like, dfinal))
    for got, same in zip(flat(*with_none), flat(*with_zeros), strict=True):
        agree(got, same, "no gradient of the final state is one of zeros", 0.0)

    names = ["x", *(n for n, _ in named_arrays(state)), *(n for n, _ in named_arrays(rnn.params))]
    for i, what in enumerate(names):
        vx, vs, vp = x * 0, map_arrays(np.zeros_like, state), map_arrays(np.zeros_like, rnn.params)
        moving = flat(vx, vs, vp)[i]
        moving[...] = rng.standard_normal(moving.shape)
        moved = rnn.with_params(map_arrays(lambda a, v: a + 1e-30j * v, rnn.params, vp))
        start = map_arrays(lambda a, v: a + 1e-30j * v, state, vs)
        out, end, _ = moved.run(x + 1e-30j * vx, start, packing)
        slope = float(np.sum(out.imag * dh)) / 1e-30
        for a, d in zip(flat_of(end), flat_of(dfinal), strict=True):
            slope += float(np.sum(a.imag * d)) / 1e-30
        dot = np.sum(flat(*gradients)[i] * moving)
        assert dot == pytest.approx(slope, rel=1e-12, abs=1e-13), what


def flat_of(arrays: State | Params) -> list[Array]:
    return [a for _, a in named_arrays(arrays)]


def flat(x: Array, state: State, params: Params) -> list[Array]:
    return [x, *flat_of(state), *flat_of(params)]


@pytest.mark.parametrize("name", CELLS)
def test_a_run_from_the_start_of_h0_is_forward_and_backward(name: str) -> None:
    rng, rnn, packing = np.random.default_rng(2), layer(name), Packing.of_lengths(LENGTHS)
    x, dh = rng.standard_normal((14, D)), rng.standard_normal((14, H))
    h0 = rng.standard_normal((len(LENGTHS), rnn.cell.start_width(rnn.hidden)))
    h, tape = rnn.forward(x, packing.enter(h0), packing)
    dx, dh0, dp = rnn.backward(dh, tape)
    same, _, run_tape = rnn.run(x, rnn.start(h0), packing)
    run_dx, dstate, run_dp = rnn.run_back(dh, run_tape)
    agree(same, h, "h", 0.0)
    agree(run_dx, dx, "dx", 0.0)
    agree(rnn.cell.start_back(h0, dstate), packing.leave(dh0), "dh0", 0.0)
    for got, want in zip(flat_of(run_dp), flat_of(dp), strict=True):
        agree(got, want, "a parameter", 0.0)


@pytest.mark.parametrize("name", CELLS)
def test_a_sequence_read_in_two_parts_is_one_read_at_once(name: str) -> None:
    rng, rnn = np.random.default_rng(3), layer(name)
    x = rng.standard_normal((len(LENGTHS), 5, D))
    state = rnn.start(rng.standard_normal((len(LENGTHS), rnn.cell.start_width(rnn.hidden))))
    whole = Packing.of_lengths(LENGTHS)
    first, second = (Packing.of_lengths(n) for n in (LENGTHS.clip(max=2), (LENGTHS - 2).clip(0)))
    _, want, tape = rnn.run(whole.pack(x), state, whole)
    _, middle, tape1 = rnn.run(first.pack(x[:, :2]), state, first)
    _, got, tape2 = rnn.run(second.pack(x[:, 2:]), middle, second)
    for a, b in zip(flat_of(got), flat_of(want), strict=True):
        agree(a, b, "the final state", 1e-14)
    dfinal = map_arrays(lambda a: rng.standard_normal(a.shape), want)
    dh = np.zeros((14, H))
    _, dstate, dparams = rnn.run_back(dh, tape, dfinal)
    _, dmiddle, dparams2 = rnn.run_back(dh[: len(second.rows)], tape2, dfinal)
    _, dstart, dparams1 = rnn.run_back(dh[: len(first.rows)], tape1, dmiddle)
    for a, b in zip(flat_of(dstart), flat_of(dstate), strict=True):
        agree(a, b, "the start", 1e-13)
    for a, b, c in zip(flat_of(dparams1), flat_of(dparams2), flat_of(dparams), strict=True):
        agree(a + b, c, "a parameter", 1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_a_run_in_float32_stays_in_float32(name: str) -> None:
    rng, packing = np.random.default_rng(4), Packing.of_lengths(LENGTHS)
    rnn = recurrent_layer(cell(name), D, H, rng, np.dtype(np.float32))
    h0 = np.ones((len(LENGTHS), rnn.cell.start_width(rnn.hidden)), np.float32)
    h, final, tape = rnn.run(np.ones((14, D), np.float32), rnn.start(h0), packing)
    back = rnn.run_back(np.ones_like(h), tape, final)
    assert {a.dtype for a in [h, *flat_of(final), *flat(*back)]} == {np.dtype(np.float32)}


def test_without_any_step_the_final_state_is_the_first() -> None:
    rnn, packing = layer("lstm"), Packing.of_lengths(np.array([0, 0]))
    state = rnn.start(np.ones((2, H)))
    h, final, tape = rnn.run(np.zeros((0, D)), state, packing)
    assert h.shape == (0, H)
    dx, dstate, _ = rnn.run_back(h, tape, attrs.evolve(state, c=np.full((2, H), 5.0)))
    assert dx.shape == (0, D)
    assert np.array_equal(final.h, state.h)
    assert np.array_equal(dstate.c, np.full((2, H), 5.0))


PACKING = Packing.of_lengths(LENGTHS)
X, H0 = np.zeros((14, D)), np.zeros((4, H))
WX, WH, B = np.zeros((D, 4 * H)), np.zeros((H, 4 * H)), np.zeros(4 * H)


def lstm(Wx: Array = WX, Wh: Array = WH, b: Array = B) -> Recurrence[Any, Any, Any]:
    return GatedRecurrence(gated("lstm"), GatedParams(Wx, Wh, b, NoParams()))


def forward(
    x: Array = X, h0: Array = H0, rows: Ints | None = None, name: str = "lstm"
) -> tuple[Array, Any]:
    return layer(name).forward(x, h0, PACKING, rows)


def run(**slots: Array) -> None:
    rnn = layer("lstm")
    rnn.run(X, attrs.evolve(rnn.start(np.zeros((5, H))), **slots), PACKING)


GATES = "and lstm has the gates i f o g"

MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "Wx of another cell": (
        lambda: lstm(Wx=np.zeros((D, 3 * H))),
        f"Wx is (3, 12), {GATES}: (D, 4H), where H = 4, the rows of Wh",
    ),
    "Wx of one number for all": (lambda: lstm(Wx=np.zeros(16)), f"Wx is (16,), {GATES}: (D, 4H)"),
    "Wh transposed": (lambda: lstm(Wh=WH.T), f"Wh is (16, 4), {GATES}: (H, 4H)"),
    "b with two axes": (lambda: lstm(b=B[None]), f"b is (1, 16), {GATES}: (4H,)"),
    "b of another cell": (lambda: lstm(b=np.zeros(12)), f"b is (12,), {GATES}: (4H,)"),
    "weights of whole numbers": (lambda: lstm(b=B.astype(int)), "b holds numbers of type int64"),
    "other parameters": (
        lambda: layer("lstm").with_params(attrs.evolve(lstm().params, Wx=np.zeros((5, 16)))),
        "params.Wx is (5, 16), and lstm with D = 3 and H = 4 has these: (3, 16)",
    ),
    "parameters of another cell": (
        lambda: layer("gru").with_params(layer("lstm").params),
        "params is GatedParams(Wx, Wh, b), and gru with D = 3 and H = 4 has these: "
        "GatedParams(Wx, Wh, b, cell.bn)",
    ),
    "parameters of a free-form cell": (
        lambda: layer("gru-reset-before").with_params(
            attrs.evolve(layer("gru-reset-before").params, Wn=np.zeros((3, 4)))
        ),
        "params.Wn is (3, 4), and gru-reset-before with D = 3 and H = 4 has these: (4, 4)",
    ),
    "x too wide": (
        lambda: forward(x=np.zeros((14, 5))),
        "x is (14, 5), and goes into lstm with D = 3 and H = 4: (.., 3)",
    ),
    "x too wide for a free-form cell": (
        lambda: forward(x=np.zeros((14, 5)), name="gru-reset-before"),
        "x is (14, 5), and goes into gru-reset-before with D = 3 and H = 4: (.., 3)",
    ),
    "x padded": (lambda: forward(x=np.zeros((5, 5, D))), "x is (5, 5, 3), and goes into lstm"),
    "x of other sequences": (
        lambda: forward(x=np.zeros((13, D))),
        "x is (13, 3), and the packing has 14 steps in all: (14, 3)",
    ),
    "tokens": (lambda: forward(x=np.zeros((14, D), int)), "tokens go through an embedding first"),
    "h0 of all sequences": (
        lambda: forward(h0=np.zeros((5, H))),
        "h0 is (5, 4), and 4 of 5 sequences have a step, in lstm with D = 3 and H = 4: (4, 4), "
        "which packing.enter makes of (5, 4)",
    ),
    "h0 too wide": (lambda: forward(h0=np.zeros((4, 6))), "h0 is (4, 6), and 4 of 5 sequences"),
    "h0 of whole numbers": (
        lambda: forward(h0=H0.astype(int)),
        "h0 holds numbers of type int64, and floating ones are needed here",
    ),
    "rows of other sequences": (
        lambda: forward(rows=np.zeros(13, int)),
        "rows is (13,), and the packing has 14 steps in all: (14,)",
    ),
    "rows beyond x": (
        lambda: forward(x=X[:2], rows=np.arange(14) % 3),
        "rows goes from 0 to 2, and x has 2 rows",
    ),
    "dh of other sequences": (
        lambda: layer("lstm").backward(np.zeros((13, H)), forward()[1]),
        "dh is (13, 4), and is shaped like h: (14, 4)",
    ),
    "dh of whole numbers": (
        lambda: layer("lstm").backward(np.ones((14, H), int), forward()[1]),
        "dh holds numbers of type int64",
    ),
    "c0 too narrow": (
        lambda: run(c=np.zeros((5, 3))),
        "state.c is (5, 3), and there are 5 sequences, in lstm with D = 3 and H = 4: (5, 4)",
    ),
    "a state of the sequences with a step": (
        lambda: run(h=np.zeros((4, H))),
        "state.h is (4, 4), and there are 5 sequences",
    ),
    "a state of another cell": (
        lambda: layer("lstm").run(X, State(np.zeros((5, H))), PACKING),
        "state is State(h), and there are 5 sequences, in lstm with D = 3 and H = 4: LSTMState(h, c)",
    ),
    "a gradient of another state": (
        lambda: layer("vanilla").run_back(
            np.zeros((14, H)),
            layer("vanilla").run(X, State(np.zeros((5, H))), PACKING)[2],
            State(np.zeros((4, H))),
        ),
        "dfinal.h is (4, 4), and there are 5 sequences",
    ),
    "too few rows to enter": (
        lambda: PACKING.enter(H0),
        "h0 is (4, 4), and the packing has 5 sequences: (5, ..)",
    ),
    "too many rows to leave": (
        lambda: PACKING.leave(np.zeros((5, H))),
        "dh0 is (5, 4), and the packing has 4 sequences with a step: (4, ..)",
    ),
    "too few rows to pack": (
        lambda: PACKING.pack(np.zeros((4, 5, D))),
        "padded is (4, 5, 3), and the packing has 5 sequences",
    ),
    "too few steps to pack": (
        lambda: PACKING.pack(np.zeros((5, 4, D))),
        "there is room for 4 steps, and the longest sequence has 5",
    ),
    "too few tokens to unpack": (
        lambda: PACKING.unpack(np.zeros((13, D)), 5),
        "packed is (13, 3), and the packing has 14 steps in all",
    ),
    "too few steps to unpack": (
        lambda: PACKING.unpack(X, 4),
        "there is room for 4 steps, and the longest sequence has 5",
    ),
    "negative lengths": (lambda: Packing.of_lengths(np.array([2, -1])), "from -1"),
    "lengths that are not whole": (
        lambda: Packing.of_lengths(np.array([2, 1]) / 1),  # type: ignore[arg-type]  # that is what is refused
        "lengths are float64",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_does_not_fit_is_told_by_its_name_and_what_would(mistake: str) -> None:
    make, message = MISTAKES[mistake]
    with pytest.raises(rnnkit.ShapeError) as told:
        make()
    assert message in str(told.value)


def test_a_free_form_cell_fills_its_own_weights() -> None:
    zeros = load(Initializer, "rnnkit:zeros")()
    with pytest.raises(ValueError, match="give the initializer to it"):
        recurrent_layer(
            cell("gru-reset-before"), D, H, np.random.default_rng(0), input_weights=zeros
        )
