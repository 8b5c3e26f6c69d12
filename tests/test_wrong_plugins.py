"""Plugins with one mistake each: the harness finds it, says where it is, and what it is."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import attrs
import numpy as np
import pytest

from rnnkit.kinds import (
    Array,
    Cell,
    DType,
    GatedCell,
    Layer,
    NoParams,
    Params,
    Plugin,
    RecurrentCell,
    Rng,
    State,
)
from rnnkit.registry import load, misfits, names
from rnnkit.testing.checks import checks_of, checks_of_class
from rnnkit.testing.diagnosis import LeafFinding
from rnnkit.testing.examine import Finding
from rnnkit.testing.reach import never_reached

FOLDER = Path(__file__).parent / "wrongcells"
META = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))
CELLS: dict[str, str] = META["project"]["entry-points"]["rnnkit.cells"]
LAYERS: dict[str, str] = META["project"]["entry-points"]["rnnkit.layers"]
SEEDS = range(5)
STEP = "step,N=2,H=5"


@pytest.fixture(autouse=True)
def _beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)


def wrong(name: str) -> type[Plugin]:
    module, _, attribute = (CELLS | LAYERS)[name].partition(":")
    found: type[Plugin] = getattr(importlib.import_module(module), attribute)
    return found


def findings(name: str, seed: int = 0, only: str = "") -> dict[str, Finding]:
    checks = checks_of_class(wrong(name), name)
    return {check.id: check.run(seed).explained() for check in checks if only in check.id}


def wrong_leaves(finding: Finding) -> dict[str, LeafFinding]:
    assert finding.broken == "gradient"
    return {leaf.name: leaf for leaf in finding.leaves if not leaf.right}


def right_leaves(finding: Finding) -> list[str]:
    return [leaf.name for leaf in finding.leaves if leaf.right]


def test_every_file_of_the_distribution_is_one_plugin_that_fits_its_kind() -> None:
    files = {f.stem.replace("_", "-") for f in (FOLDER / "wrong_cells").glob("[!_]*.py")}
    assert files == set(CELLS | LAYERS)
    for name in files:
        kind: type[Plugin] = RecurrentCell if name in CELLS else Layer
        assert list(misfits(wrong(name), kind)) == []


TELLING = dict.fromkeys(CELLS, STEP) | {
    "look-ahead": "sequence,full",
    "unread-slot": "every leaf matters",
    "zero-gradient": "x=3x4",
}


@pytest.mark.parametrize("name", sorted({*TELLING} - {"softsign"}))
def test_a_wrong_plugin_fails_whatever_the_seed(name: str) -> None:
    for check in checks_of_class(wrong(name), name):
        if check.id == TELLING[name]:
            assert [seed for seed in SEEDS if check.run(seed).ok] == []
            return
    pytest.fail(f"there is no check {TELLING[name]!r}")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_path_that_is_not_carried_back_is_0_everywhere(seed: int) -> None:
    finding = findings("forgotten-path", seed, STEP)[STEP]
    (leaf,) = wrong_leaves(finding).values()
    assert (leaf.name, leaf.given, leaf.wrong_share) == ("s.c", 0.0, 1.0)
    assert leaf.wanted != 0.0
    assert leaf.hint == "it is 0 everywhere: this path has no gradient"
    assert right_leaves(finding) == ["zx", "zh", "s.h"]


def test_a_path_that_is_not_carried_back_does_not_matter_to_one_step_from_0() -> None:
    assert findings("forgotten-path", only="T=1")["sequence,T=1"].ok


@pytest.mark.parametrize("seed", SEEDS)
def test_a_missing_factor_is_named_with_the_gates_and_the_output_it_is_missing_for(
    seed: int,
) -> None:
    finding = findings("missing-factor", seed, STEP)[STEP]
    leaves = wrong_leaves(finding)
    told = "in the part that comes from s.h: a factor (1 - tanh_c^2) is missing"
    assert {name: leaf.hint for name, leaf in leaves.items()} == {
        "zx": f"in gates i, f, g: {told}",
        "zh": f"in gates i, f, g: {told}",
        "s.c": told,
    }
    assert leaves["zx"].gates == {"i": False, "f": False, "o": True, "g": False}
    assert leaves["zx"].wrong_share == 0.75
    assert leaves["zx"].place[1] not in range(10, 15)
    assert right_leaves(finding) == ["s.h"]


@pytest.mark.parametrize("case", [STEP, "sequence,ragged"])
def test_a_transposed_gradient_is_told_in_one_step_and_in_sequences(case: str) -> None:
    finding = findings("transposed-weight", only=case)[case]
    (leaf,) = wrong_leaves(finding).values()
    assert leaf.name in ("p.Wh", "0.Wh")
    assert leaf.hint == "it is the transpose of the right one"
    assert leaf.place[0] != leaf.place[1]
    assert len(right_leaves(finding)) == 4


def test_a_transposed_gradient_of_one_number_is_right() -> None:
    assert findings("transposed-weight")["step,N=1,H=1"].ok


@pytest.mark.parametrize(
    ("name", "case", "law", "text"),
    [
        (
            "changed-gradient",
            STEP,
            "inputs unchanged",
            "backward changes the gradient 's.h' it is given",
        ),
        ("changed-state", STEP, "inputs unchanged", "forward changes its input 's.h' in place"),
        ("float64-leak", STEP, "types", "output 's.h' is float64 where float32 went in"),
        ("look-ahead", "sequence,full", "causal", "the input at step 1 changes an earlier output"),
        (
            "batch-mixing",
            STEP,
            "rows independent",
            "row 0 of 's.h' depends on the other rows of the batch",
        ),
        (
            "stale-cache",
            STEP,
            "stale cache",
            "the gradient of 'zx' changes when forward runs on other inputs in between: "
            "what backward needs must be in the cache",
        ),
    ],
)
def test_a_broken_law_is_named_whatever_the_seed(name: str, case: str, law: str, text: str) -> None:
    for seed in SEEDS:
        finding = findings(name, seed, case)[case]
        assert (finding.broken, finding.text) == (law, text)


def test_looking_ahead_fails_nothing_but_sequences_with_a_future() -> None:
    found = findings("look-ahead")
    assert all(f.broken == "causal" for case, f in found.items() if not f.ok)
    assert [case for case, f in found.items() if f.ok and "step," in case] == [
        "step,N=2,H=5",
        "step,N=1,H=1",
        "step,N=1,H=4",
        "step,N=3,H=1",
        "step,N=4,D=5,H=5",
        "step,N=18,D=20,H=17",
    ]
    assert found["sequence,T=1"].ok


def test_mixing_rows_with_a_right_gradient_is_right_for_a_batch_of_one() -> None:
    found = findings("batch-mixing")
    assert found["step,N=1,H=4"].ok
    assert not found["step,N=3,H=1"].ok


@pytest.mark.parametrize("case", ["x=3x4", "x=2x2x3x4,training"])
def test_a_parameter_without_gradient_is_named(case: str) -> None:
    finding = findings("zero-gradient")[case]
    (leaf,) = wrong_leaves(finding).values()
    assert (leaf.name, leaf.given) == ("p.gain", 0.0)
    assert leaf.hint == "it is 0 everywhere: this path has no gradient"
    assert right_leaves(finding) == ["x", "p.bias"]


def test_np_abs_with_a_right_gradient_passes_with_a_note() -> None:
    for seed in SEEDS:
        found = findings("softsign", seed)
        assert all(finding.ok for finding in found.values())
        for finding in (found[case] for case in found if "step" in case or "large" in case):
            assert finding.note is not None
            assert finding.note.startswith(
                "the forward pass is not complex-analytic, so finite differences check it"
            )


def test_np_abs_with_a_wrong_gradient_fails_with_a_note_and_a_hint() -> None:
    for seed in SEEDS:
        finding = findings("wrong-softsign", seed, STEP)[STEP]
        leaves = wrong_leaves(finding)
        assert {n: leaf.hint for n, leaf in leaves.items()} == dict.fromkeys(
            ["zx", "zh"], "a factor cache is missing"
        )
        assert right_leaves(finding) == ["s.h"]
        assert finding.note is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slot_that_no_output_depends_on_is_named_although_every_gradient_is_right(
    seed: int,
) -> None:
    found = findings("unread-slot", seed)
    idle = found.pop("every leaf matters")
    assert all(f.ok for f in found.values())
    told = "slot m of the state never matters: no output of a later step depends on it"
    assert (idle.broken, idle.text) == ("reached", told)
    assert list(never_reached(found.values())) == [told]


@pytest.mark.parametrize("name", names(RecurrentCell))
def test_everything_matters_in_a_builtin_cell(name: str) -> None:
    cls: type[Plugin] = load(RecurrentCell, name)
    found = [check.run(0) for check in checks_of(cls(), name)]
    assert list(never_reached(found)) == []


@attrs.frozen
class DelayState(State):
    a: Array
    b: Array
    c: Array
    d: Array


@attrs.frozen
class DelayLine(GatedCell[NoParams, DelayState, None]):
    """h' = d, d' = c, c' = b, b' = a, a' = zx + zh."""

    x_gates = ("a",)
    h_gates = ("a",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> DelayState:
        return DelayState(h, *(np.zeros_like(h) for _ in "abcd"))

    def step(self, p: NoParams, zx: Array, zh: Array, s: DelayState) -> tuple[DelayState, None]:
        return DelayState(h=s.d, a=zx + zh, b=s.a, c=s.b, d=s.c), None

    def step_back(
        self, p: NoParams, ds: DelayState, cache: None
    ) -> tuple[Array, Array, DelayState, NoParams]:
        before = DelayState(h=np.zeros_like(ds.h), a=ds.b, b=ds.c, c=ds.d, d=ds.h)
        return ds.a, ds.a, before, p


def test_a_slot_matters_if_an_output_depends_on_it_however_many_slots_later() -> None:
    found = [check.run(0) for check in checks_of(DelayLine(), "delay") if "several" in check.id]
    assert [f.text for f in found] == [""]
    assert [f.reached[f"first s.{slot}"] for f in found for slot in "abcd"] == [True] * 4


@attrs.frozen
class IdleParams(Params):
    W: Array
    gain: Array


@attrs.frozen
class IdleParameter(Cell[IdleParams, State, tuple[Array, Array]]):
    """h' = x W, whatever h and gain are."""

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> IdleParams:
        W = rng.standard_normal((in_features, hidden)).astype(dtype)
        return IdleParams(W, np.ones(hidden, dtype))

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: IdleParams, x: Array, s: State) -> tuple[State, tuple[Array, Array]]:
        return State(x @ p.W), (x, s.h)

    def step_back(
        self, p: IdleParams, ds: State, cache: tuple[Array, Array]
    ) -> tuple[Array, State, IdleParams]:
        x, h = cache
        dp = IdleParams(W=x.T @ ds.h, gain=np.zeros_like(p.gain))
        return ds.h @ p.W.T, State(np.zeros_like(h)), dp


def test_a_parameter_that_nothing_depends_on_and_an_initial_state_without_effect_are_named() -> (
    None
):
    found = [check.run(0) for check in checks_of(IdleParameter(), "idle")]
    assert all(f.ok for f in found)
    assert sorted(never_reached(found)) == [
        "parameter gain never gets a gradient",
        "the initial state h0 never matters: no output depends on it",
    ]


def test_a_leaf_reached_once_is_reached() -> None:
    off, on = Finding(reached={"x": False, "p.W": True}), Finding(reached={"x": True, "p.W": False})
    assert list(never_reached([off, on])) == []
    assert list(never_reached([off, off])) == [
        "the input x never matters: its gradient is always 0"
    ]
