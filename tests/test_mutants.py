"""Wrong gradients made by machine: the mutators make what they should, and the harness finds what they make."""

from __future__ import annotations

import numpy as np
import pytest

from rnnkit.kinds import Activation, RecurrentCell
from rnnkit.registry import load
from rnnkit.testing.example import copied
from tests.mutants import rivals
from tests.mutants.mutate import Mutant, mutants, mutants_of_source
from tests.mutants.run import EXCEPTION, built, equivalents, every_mutant, key, outcome, rows, table

SOURCE = """\
class Swish:
    def forward(self, x):
        gate = sigmoid(x)
        slope = gate * (1.0 - gate)
        return x * gate, gate + x * slope

    def backward(self, dy, saved):
        return scaled(dy, saved)

    def kinks(self):
        return (0.0 + 1.0,)


def scaled(dy, by):
    dx = dy.sum(axis=0) - by.T
    return dx


def unused(a, b):
    return a + b
"""


@pytest.fixture(scope="module")
def every() -> list[Mutant]:
    return list(every_mutant())


@pytest.fixture(scope="module")
def swish() -> set[tuple[str, str]]:
    return {(m.line, m.change) for m in mutants_of_source(SOURCE, "Swish", "swish", "activation")}


def test_what_is_only_saved_is_changed_and_the_value_is_not(swish: set[tuple[str, str]]) -> None:
    lines = {line for line, _ in swish}
    assert "slope = gate * (1.0 - gate)" in lines
    assert "gate = sigmoid(x)" not in lines
    returned = {change for line, change in swish if line.startswith("return x * gate")}
    assert "operator: gate + x * slope -> gate - x * slope" in returned
    assert not any("x * gate " in change for change in returned)


def test_functions_that_backward_calls_are_changed_and_no_others(
    swish: set[tuple[str, str]],
) -> None:
    lines = {line for line, _ in swish}
    assert "dx = dy.sum(axis=0) - by.T" in lines
    assert "return a + b" not in lines
    assert "return (0.0 + 1.0,)" not in lines


@pytest.mark.parametrize(
    "change",
    [
        "operator: dy.sum(axis=0) - by.T -> dy.sum(axis=0) + by.T",
        "term dropped: dy.sum(axis=0) - by.T -> by.T",
        "order: dy.sum(axis=0) - by.T -> by.T - dy.sum(axis=0)",
        "transpose: by.T -> by",
        "function: dy.sum(axis=0) -> dy.mean(axis=0)",
        "sum dropped: dy.sum(axis=0) -> dy",
        "constant: 0 -> 1",
        "another variable: dy -> by",
        "sign: dy.sum(axis=0) - by.T",
        "factor 1 + 1e-9: dy.sum(axis=0) - by.T",
        "float32 leak: dy.sum(axis=0) - by.T",
    ],
)
def test_one_change_is_made_at_a_time(change: str, swish: set[tuple[str, str]]) -> None:
    assert ("dx = dy.sum(axis=0) - by.T", change) in swish


def test_no_two_mutants_are_alike(every: list[Mutant]) -> None:
    assert len({key(m) for m in every}) == len(every)
    assert len({(m.plugin, m.source) for m in every}) == len(every)


def test_an_entry_of_the_cache_takes_the_place_of_another() -> None:
    changes = {m.change for m in mutants(load(RecurrentCell, "lstm"), "lstm")}
    assert {"another entry: k.c_prev -> k.tanh_c", "another entry: ds.h -> ds.c"} <= changes


def test_equivalent_mutants_are_still_made(every: list[Mutant]) -> None:
    assert {e.key for e in equivalents()} <= {key(m) for m in every}


def test_mutants_compute_the_right_value(every: list[Mutant]) -> None:
    x = np.random.default_rng(0).standard_normal((3, 4))
    sample = [m for m in every if m.plugin == "gelu"][::10]
    right, _ = load(Activation, "gelu")().forward(x)
    values = [cls().forward(x)[0] for cls in map(built, sample) if issubclass(cls, Activation)]
    assert len(values) == len(sample)
    assert all(np.array_equal(y, right) for y in values)


def test_the_harness_kills_a_sample(every: list[Mutant]) -> None:
    known = {e.key for e in equivalents()}
    errors = [m for m in every if key(m) not in known]
    sample = errors[:: len(errors) // 30]
    survivors = [key(m) for m in sample if outcome(m, 0, rivals_too=False).killed is None]
    assert survivors == []


def test_a_mutant_that_raises_is_told_from_one_that_runs(every: list[Mutant]) -> None:
    embedding = (m for m in every if m.plugin == "embedding")
    raises = next(m for m in embedding if m.change == "factor 1 + 1e-6: x")  # no index
    assert outcome(raises, 0).killed == EXCEPTION


def test_rivals_see_a_wrong_sign_and_miss_a_small_factor() -> None:
    tanh = load(Activation, "tanh")
    own = {m.change: built(m) for m in mutants(tanh, "tanh") if m.line.startswith("return dy")}
    whole = "dy * (1.0 - saved * saved)"
    for rival in (rivals.gradcheck, rivals.probe):
        assert rivals.catches(rival, own[f"sign: {whole}"], tanh, "activation:tanh", 0)
        assert not rivals.catches(
            rival, own[f"factor 1 + 1e-9: {whole}"], tanh, "activation:tanh", 0
        )


def test_rivals_are_content_with_right_gradients() -> None:
    gru = load(RecurrentCell, "gru")
    for case, example in rivals.examples(gru, "cell:gru", 0):
        before = copied(example.leaves)
        assert rivals.gradcheck(example, example, case, 0)
        assert rivals.probe(example, example, case, 0)
        assert all(np.array_equal(a, before[name]) for name, a in example.leaves.items())


def test_survivors_and_equivalents_are_counted_apart(every: list[Mutant]) -> None:
    relu = [m for m in every if m.plugin == "relu"]
    outcomes = [outcome(m, 0, rivals_too=False) for m in relu]
    known = {e.key for e in equivalents()}
    assert rows(outcomes, known, lambda m: m.plugin)[0].survivors == 0
    unlisted = rows(outcomes, set(), lambda m: m.plugin)[0]
    assert unlisted.survivors == len([e for e in known if e[0] == "activation relu"])


def test_table_is_markdown() -> None:
    assert table(("", "n"), [("a", "10")]) == "|     | n   |\n| --- | --: |\n| a   |  10 |"
