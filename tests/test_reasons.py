"""Mistakes for which a plausible reason would be a wrong one: what is said of each is true."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from rnnkit.kinds import (
    Activation,
    Array,
    DType,
    Ints,
    Layer,
    Loss,
    Mask,
    NoParams,
    Params,
    Plugin,
    Rng,
)
from rnnkit.testing.examine import examine
from rnnkit.testing.example import Example, Leaves
from rnnkit.testing.targets import of_class, run
from tests.plain_plugins import PlainLayer, failures, said


@attrs.frozen
class ForgetsTheNegativeSide(Activation):
    """A leaky relu whose backward pass is that of a relu."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        y: Array = np.where(x.real > 0.0, x, 0.01 * x)
        return y, x

    def backward(self, dy: Array, saved: Array) -> Array:
        dx: Array = dy * (saved > 0.0)
        return dx

    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


@attrs.frozen
class SoftmaxAsActivation(Activation):
    def forward(self, x: Array) -> tuple[Array, Array]:
        e = np.exp(x - x.real.max(axis=-1, keepdims=True))
        y: Array = e / e.sum(axis=-1, keepdims=True)
        return y, y

    def backward(self, dy: Array, saved: Array) -> Array:
        dx: Array = saved * (dy - (dy * saved).sum(axis=-1, keepdims=True))
        return dx


@attrs.frozen
class RedrawsItsMask(PlainLayer):
    """Dropout whose backward pass draws another mask; from where, a test chooses."""

    random: ClassVar[bool] = True

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        return (x, False) if rng is None else (x * (rng.random(x.shape) < 0.5), True)

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return (dy * (self.drawn(dy.shape) < 0.5) if cache else dy), p

    def drawn(self, shape: tuple[int, ...]) -> Array:
        return np.random.random(shape)  # noqa: NPY002  # the mistake


@attrs.frozen
class RedrawsFromAGeneratorOfItsOwn(RedrawsItsMask):
    def drawn(self, shape: tuple[int, ...]) -> Array:
        return np.random.default_rng().random(shape)


@attrs.frozen
class ChangesItsCache(PlainLayer):
    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        cache *= -cache
        return dy * (1.0 + cache), p


@attrs.frozen
class ClipsTheProbability(Loss):
    """-log(max(p, 1e-7)), with the gradient of -log(p)."""

    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Any, Array]:
        e = np.exp(scores - scores.real.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        rows = np.arange(len(targets))
        d = p.copy()
        d[rows, targets] -= 1.0
        d[~mask] = 0.0
        return -np.log(np.maximum(p, 1e-7))[rows, targets][mask].sum(), d


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (
            RedrawsItsMask,
            "stale cache: the gradient of 'x' changes when backward runs again: it draws random "
            "numbers; those that forward has drawn must be in the cache",
        ),
        (
            RedrawsFromAGeneratorOfItsOwn,
            "stale cache: the gradient of 'x' changes when backward runs again: its cache has not "
            "changed, so it draws random numbers or remembers something; what it needs must be in "
            "the cache",
        ),
        (
            ChangesItsCache,
            "stale cache: the gradient of 'x' changes when backward runs again: it changes 'cache', "
            "and must leave the cache as it is",
        ),
    ],
)
def test_the_law_that_is_broken_is_told_with_its_cause(cls: type[Plugin], words: str) -> None:
    assert words in said(cls)


def test_a_softmax_is_no_activation_and_rows_are_not_blamed() -> None:
    found = said(SoftmaxAsActivation)
    assert any(s.startswith("elementwise: f(") for s in found)
    assert not any(s.startswith("rows independent") for s in found)


@pytest.mark.parametrize("seed", range(5))
def test_a_side_without_its_slope_is_named_whatever_cases_of_few_numbers_look_like(
    seed: int,
) -> None:
    report = run(of_class(ForgetsTheNegativeSide, "leaky", ""), seed)
    assert report.telling is not None
    (leaf,) = report.telling.finding.leaves
    assert leaf.hint == "it is wrong for x < 0, and right on the other side"


@attrs.frozen
class WrongInTwoWays(PlainLayer):
    """The sign is wrong for few columns, the slope of tanh is forgotten for many."""

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return (-dy * (1.0 - cache * cache) if dy.shape[-1] < 5 else dy), p


@attrs.frozen
class WrongInOneWay(PlainLayer):
    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return dy * (1.0 - cache), p


@pytest.mark.parametrize("seed", range(3))
def test_a_reason_that_one_failing_case_contradicts_is_not_given(seed: int) -> None:
    report = run(of_class(WrongInTwoWays, "two", ""), seed)
    assert report.telling is not None
    (leaf,) = report.telling.finding.leaves
    assert not leaf.right
    assert leaf.hint == ""
    alone = failures(WrongInTwoWays, seed)["x=3x4"]
    assert [leaf.hint for leaf in alone.leaves] == ["the sign is wrong"]


@attrs.frozen
class Table(Params):
    E: Array


@attrs.frozen
class KeepsOneUse(Layer[Ints, Table, Ints]):
    """An embedding that forgets that a word can come again; how many do differs from case to case."""

    tokens: ClassVar[bool] = True

    def out_features(self, in_features: int) -> int:
        return 4

    def init(self, in_features: int, rng: Rng, dtype: DType) -> Table:
        return Table(rng.standard_normal((in_features, 4)).astype(dtype))

    def forward(self, p: Table, x: Ints, rng: Rng | None) -> tuple[Array, Ints]:
        return p.E[x], x

    def backward(self, p: Table, dy: Array, cache: Ints) -> tuple[None, Table]:
        d = np.zeros_like(p.E)
        d[cache] += dy
        return None, Table(d)


@pytest.mark.parametrize("seed", range(3))
def test_cases_that_differ_in_their_numbers_bear_each_other_out(seed: int) -> None:
    report = run(of_class(KeepsOneUse, "table", ""), seed)
    assert report.telling is not None
    (leaf,) = report.telling.finding.leaves
    assert "used more than once, only one use counts" in leaf.hint


@pytest.mark.parametrize("seed", range(3))
def test_a_reason_that_all_failing_cases_bear_out_is_given(seed: int) -> None:
    report = run(of_class(WrongInOneWay, "one", ""), seed)
    assert len(report.failures) > 10
    assert report.telling is not None
    (leaf,) = report.telling.finding.leaves
    assert leaf.hint == "there is a factor (1 - cache) instead of (1 - cache^2)"
    others = [f for f in report.failures if f is not report.telling]
    assert not any(failure.finding.leaves for failure in others)


@pytest.mark.parametrize("seed", range(5))
def test_where_forward_is_flat_a_gradient_is_not_said_not_to_matter(seed: int) -> None:
    def flat(at: Leaves) -> tuple[Leaves, Any]:
        return {"y": np.where(at["x"].real > 3.0, 3.0, at["x"])}, None

    def slope(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        return {"x": cotangents["y"]}

    rng = np.random.default_rng(seed)
    beyond = Example({"x": 4.0 + rng.random((3, 4))}, flat, slope, single="skip")
    (leaf,) = examine(beyond, rng).explained().leaves
    assert leaf.hint == (
        "the derivative is 0 here: forward is flat (a clip, a maximum?) where backward has a slope"
    )
    either = Example({"x": rng.choice([1.0, 5.0], (5, 8))}, flat, slope, single="skip")
    (leaf,) = examine(either, rng).explained().leaves
    assert leaf.hint == "it is wrong for x >= 5, and right on the other side"


def test_a_clipped_probability_is_told_as_a_clip() -> None:
    finding = failures(ClipsTheProbability, 1)["scores=1e3"]
    assert [leaf.hint for leaf in finding.leaves] == [
        "it is wrong only where it must be 0: is a mask missing, or that of a clip?"
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_clipped_probability_is_never_said_to_have_no_effect(seed: int) -> None:
    findings = failures(ClipsTheProbability, seed).values()
    hints = {leaf.hint for finding in findings for leaf in finding.leaves}
    assert hints
    assert not any("no output depends" in hint for hint in hints)
