"""What gradcheck says a wrong gradient should be, evaluated with the author's variables, is the derivative."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pytest

from rnnkit.kinds import Activation, Array, Layer, Loss, NoParams, Plugin, RecurrentCell, Rng
from rnnkit.numerics import sigmoid
from rnnkit.registry import load
from rnnkit.testing import check
from rnnkit.testing.answers import answered
from rnnkit.testing.cases import differentiable_cases
from rnnkit.testing.diagnosis import LeafFinding
from rnnkit.testing.examine import examine
from rnnkit.testing.example import Example, Leaves
from rnnkit.testing.targets import of_class, run
from rnnkit.tracing import rules
from rnnkit.tracing.terms import Term
from tests.plain_plugins import PlainLayer
from tests.test_coursework import MISTAKES, arguments, told, written
from tests.test_gradcheck import gradcheck, pytest_in

Told = dict[str, Any]
"""What each gradient should be, by what it is called."""


def told_values(lines: Iterable[str], variables: Mapping[str, Any]) -> Told:
    """The equations in a message, evaluated."""
    known: dict[str, Any] = {"np": np, "sigmoid": sigmoid, **variables}
    found: Told = {}
    for line in lines:
        line = line.removesuffix(" (all leading axes joined)")
        match = re.fullmatch(r" *(\S+) should be (.*?)(?:, where (.*))?", line)
        if match:
            name, expression, steps = match.groups()
            if expression.startswith("made by "):
                expression, steps = f"d{name.rpartition('.')[2].removeprefix('d')}", expression[8:]
            for step in (steps or "").split("; "):
                exec(step, known)
            found[name] = eval(expression, known)
    return found


def variables_of(code: CodeType, call: Callable[[], object]) -> dict[str, Any]:
    """What an author's function holds in its variables when it returns."""
    held: dict[str, Any] = {}

    def watch(frame: Any, event: str, _: object) -> None:
        if event == "return" and frame.f_code is code:
            held.update(frame.f_locals)

    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return held


def derivative(forward: Callable[[Leaves], Leaves], at: Leaves, d: Leaves, leaf: str) -> Array:
    """Of sum(d * output), element by element, by a complex step."""
    found = np.zeros_like(at[leaf])
    for i in np.ndindex(found.shape):
        moved: Any = {k: a.astype(complex) for k, a in at.items()}
        moved[leaf][i] += 1e-30j
        outputs = forward(moved)
        found[i] = sum(np.sum(c * np.imag(outputs[k])) for k, c in d.items()) / 1e-30
    return found


# Functions as students write them.

ONE_STEP = [
    m[:3]
    for m in MISTAKES
    if m[0] in ("rnn_step", "lstm_step", "word_embedding", "temporal_affine")
]


@pytest.mark.parametrize(("name", "old", "new"), ONE_STEP[::4])
def test_the_answer_to_a_students_mistake_is_the_derivative(name: str, old: str, new: str) -> None:
    forward, backward = written(name, (old, new))
    given = arguments(name)
    held = variables_of(forward.__code__, lambda: forward(**given))
    *outputs, _ = forward(**given)
    rng = np.random.default_rng(1)
    names = list(backward.__code__.co_varnames[: len(outputs)])
    d = {k: rng.standard_normal(y.shape) for k, y in zip(names, outputs, strict=True)}
    said = told_values(told(name, (old, new)), {**held, **d})
    leaves = {k: a for k, a in given.items() if a.dtype.kind == "f"}

    def run_forward(at: Leaves) -> Leaves:
        return dict(zip(names, forward(**{**given, **at})[:-1], strict=True))

    assert said, "nothing is said"
    for called, value in said.items():
        leaf, _, gate = called[1:].partition("[")
        right = derivative(run_forward, leaves, d, leaf)
        if gate:
            k = "ifog".index(gate[0])
            right = np.split(right, 4, axis=-1)[k]
        np.testing.assert_allclose(value, right, rtol=1e-10, atol=1e-12)


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "old", "new"), ONE_STEP)
def test_so_are_the_answers_to_all_students_mistakes(name: str, old: str, new: str) -> None:
    test_the_answer_to_a_students_mistake_is_the_derivative(name, old, new)


def test_a_loss_is_told_its_answer_without_the_gradient_of_the_loss() -> None:
    def squared(x: Array, y: Array) -> tuple[Any, Array]:
        N = len(x)
        gap = x - y
        loss = 0.5 * (gap**2).sum() / N
        return loss, gap  # the mistake: / N

    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError, match=re.escape("dx should be 1 / N * gap")):
        check(squared, x=rng.standard_normal((3, 4)), y=rng.integers(0, 2, (3, 4)))


def test_check_leaves_answers_out_if_asked() -> None:
    name, old, new = ONE_STEP[0]
    with pytest.raises(AssertionError) as caught:
        check(*written(name, (old, new)), answers=False, **arguments(name))
    assert "WRONG" in str(caught.value)
    assert "should be" not in str(caught.value)


# Plugins.

PLUGINS = [
    *((RecurrentCell, name) for name in ("vanilla", "lstm", "gru", "peephole-lstm")),
    *((RecurrentCell, name) for name in ("gru-reset-before", "attention-lstm")),
    *((Layer, name) for name in ("affine", "embedding", "layer-norm", "dropout")),
    *((Activation, name) for name in ("elu", "leaky-relu", "relu", "sigmoid", "silu", "softplus")),
    *((Activation, name) for name in ("tanh", "identity")),
    (Loss, "softmax-cross-entropy"),
]
CASES = {RecurrentCell: "step,N=2,H=5", Activation: "shape=3x4", Loss: "mask=ragged"}
LONG = {
    "gru-reset-before": {"x", "s.h", "p.Wx", "p.Wh", "p.b"},
    "attention-lstm": {"s.h", "s.A", "p.Wr"},
    "peephole-lstm": {"s.c"},
    "layer-norm": {"x"},
}
"""Leaves whose gradient takes more than a few lines: nothing is said of them."""


def example_of(kind: type[Plugin], name: str) -> tuple[Plugin, Example]:
    """A plugin, and one of the examples that the harness checks it with."""
    plugin: Any = load(kind, name)(**{"embedding": {"dim": 3}}.get(name, {}))
    wanted = CASES.get(kind, "training" if name == "dropout" else "x=3")
    case = next(c for c in differentiable_cases(plugin) if wanted in c.id)
    return plugin, case.draw(np.random.default_rng(2))


def said_of(example: Example, leaves: Iterable[str] = ()) -> tuple[str, ...]:
    """What is said of an example whose gradients are all, or some, made wrong."""

    def wrong(at: Leaves, d: Leaves, cache: Any) -> Leaves:
        off = 0.5 * sum(np.sum(c) for c in d.values())
        right = example.backward(at, d, cache)
        return {k: g + off if k in (leaves or right) else g for k, g in right.items()}

    finding = examine(
        attrs.evolve(example, backward=wrong, laws=(), single="skip"), np.random.default_rng(3)
    )
    assert finding.diagnosis is not None
    found = tuple(
        LeafFinding(
            name,
            right=name not in finding.diagnosis.wrong,
            place=(0,) * a.ndim,
            gates=dict.fromkeys(example.gates.get(name, ()), False),
        )
        for name, a in example.leaves.items()
    )
    return answered(attrs.evolve(finding, leaves=found), finding.diagnosis).answers


def labels(leaf: str, gate: str) -> set[str]:
    """What the gradient of a leaf may be called."""
    if leaf.startswith("s."):
        return {f"d{leaf[2:]}_prev"}
    return {f"d{leaf}", f"d{leaf}[{gate}]", *([f"dz{gate}", "dz"] if leaf in ("zx", "zh") else [])}


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_the_answers_about_a_plugin_are_the_derivative(kind: type[Plugin], name: str) -> None:
    plugin, example = example_of(kind, name)
    method: Any = getattr(plugin, {RecurrentCell: "step", Loss: "evaluate"}.get(kind, "forward"))
    leaves, rng = example.leaves, np.random.default_rng(4)
    held = variables_of(
        method.__code__, lambda: example.forward({k: a.copy() for k, a in leaves.items()})
    )
    outputs, _ = example.forward({k: a.copy() for k, a in leaves.items()})
    d = {
        k: np.ones(()) if kind is Loss else rng.standard_normal(np.shape(y))
        for k, y in outputs.items()
    }
    slots = SimpleNamespace(**{k[2:]: c for k, c in d.items()})
    lengths = {"N": 2, "H": 5, "D": 4, "V": 5}
    before = {f"{k[2:]}_prev": a for k, a in leaves.items() if k.startswith("s.")}
    known = {**lengths, **before, **held, **{f"d{k}": c for k, c in d.items()}, "ds": slots}
    said = told_values(said_of(example), known)
    for leaf in leaves:
        right = derivative(lambda at: example.forward(at)[0], leaves, d, leaf)
        gates = example.gates.get(leaf, ("",))
        for k, gate in enumerate(gates):
            found = labels(leaf, gate) & said.keys()
            assert bool(found) != (leaf in LONG.get(name, ())), (leaf, gate)
            block = np.split(right, len(gates), axis=-1)[k] if gate else right
            for label in found:
                np.testing.assert_allclose(said[label] + 0 * block, block, rtol=1e-9, atol=1e-12)


def test_answers_are_in_the_authors_names() -> None:
    _, example = example_of(RecurrentCell, "lstm")
    assert said_of(example, ["zx", "zh", "s.h"]) == (
        "dzi should be dc * g * i * (1 - i), where dc = ds.c + ds.h * o * (1 - tanh_c**2)",
        "dzf should be dc * c_prev * f * (1 - f)",
        "dzo should be ds.h * tanh_c * o * (1 - o)",
        "dzg should be dc * i * (1 - g**2)",
        "dh_prev should be 0",
    )
    _, example = example_of(RecurrentCell, "gru")
    assert said_of(example, ["zh"])[-1] == "dzh[n] should be dn * r"
    _, example = example_of(Layer, "affine")
    assert said_of(example, ["p.W"]) == ("dp.W should be x.T @ dy (all leading axes joined)",)


@attrs.frozen
class Scaled(Activation):
    """y = rate tanh(x), without the rate in its gradient."""

    rate: float = 0.7

    def forward(self, x: Array) -> tuple[Array, Array]:
        y = np.tanh(x)
        return self.rate * y, y

    def backward(self, dy: Array, saved: Array) -> Array:
        dx: Array = dy * (1.0 - saved**2)
        return dx


def test_options_have_their_names() -> None:
    report = run(of_class(Scaled, "scaled", ""))
    assert report.telling is not None
    assert report.telling.finding.answers == ("dx should be self.rate * dy * (1 - y**2)",)
    silent = run(of_class(Scaled, "scaled", ""), answers=False)
    assert silent.telling is not None
    assert silent.telling.finding.answers == ()


@attrs.frozen
class Untraceable(PlainLayer):
    """y = tanh(x), computed by what is no function of NumPy's, and backward forgets a square."""

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        y = np.tanh(np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape))
        return y, y.copy()

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return dy * (1.0 - cache), p


def test_nothing_is_said_of_what_cannot_be_traced() -> None:
    report = run(of_class(Untraceable, "untraceable", ""))
    assert report.telling is not None
    assert report.telling.finding.broken == "gradient"
    assert report.telling.finding.answers == ()


def test_two_judges_who_disagree_are_an_error_of_rnnkit(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(d: Term, y: Term, x: Term) -> tuple[Term]:
        return (d * (1.0 - y),)

    monkeypatch.setitem(rules.RULES, "tanh", wrong)
    _, example = example_of(RecurrentCell, "vanilla")
    first, second = said_of(example, ["zx", "zh"])
    assert first.startswith("rnnkit itself is wrong about zx")
    assert second.startswith("rnnkit itself is wrong about zh")
    assert "should be" not in first + second


# The command line, and pytest.

CELL = Path(__file__).parent / "thirdparty" / "example_cells" / "leaky_integrator.py"
ANSWER = "dz should be self.rate * ds.h * (1 - g**2)"


@pytest.fixture
def wrong_cell(tmp_path: Path) -> Path:
    file = tmp_path / "leaky.py"
    right = CELL.read_text(encoding="utf-8")
    file.write_text(right.replace("(1.0 - cache * cache)", "(1.0 - cache)"), encoding="utf-8")
    return file


def test_gradcheck_says_answers_unless_it_is_a_course(wrong_cell: Path) -> None:
    one = (f"{wrong_cell}::LeakyIntegrator", "--case", "step,N=2")
    assert ANSWER in gradcheck(*one).stdout
    ran = gradcheck(*one, "--no-answers")
    assert ran.returncode == 1
    assert "should be" not in ran.stdout
    assert "--no-answers" in ran.stdout.partition("again:")[2]
    (report,) = json.loads(gradcheck(*one, "--json").stdout)
    assert report["failures"][0]["answers"] == [ANSWER]


def test_so_does_the_suite(wrong_cell: Path) -> None:
    (wrong_cell.parent / "test_leaky.py").write_text("from rnnkit.testing.suite import *\n")
    case = ("-k", "LeakyIntegrator-step-N2-H5")
    assert ANSWER in pytest_in(wrong_cell.parent, *case).stdout
    assert "should be" not in pytest_in(wrong_cell.parent, *case, "--rnnkit-no-answers").stdout
