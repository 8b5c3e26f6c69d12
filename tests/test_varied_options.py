"""Which options are varied, beside those that a backward pass can leave out."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from attrs.validators import ge, gt, lt

from rnnkit.kinds import Array, Initializer, Optimizer, Plugin, Progress, Rng, Schedule, Slots
from rnnkit.testing.targets import of_class, run
from rnnkit.testing.variants import variants
from rnnkit_builtin.initializers.he import He
from rnnkit_builtin.optimizers.sgd import SGD
from rnnkit_builtin.schedules.warm_up import WarmUp
from tests.plain_plugins import PlainActivation


@attrs.frozen
class Velocity(Slots):
    v: Array


@attrs.frozen
class IgnoresItsMomentum(Optimizer[Velocity]):
    learning_rate: float = attrs.field(default=1e-2, validator=gt(0.0))
    momentum: float = attrs.field(default=0.9, validator=[ge(0.0), lt(1.0)])

    def slots(self, w: Array) -> Velocity:
        return Velocity(np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: Velocity, step: int, factor: float) -> None:
        v = slots.v
        v *= 0.9
        v += dw
        w -= self.learning_rate * factor * v


@attrs.frozen
class IgnoresItsEnd(Schedule):
    end: float = attrs.field(default=0.5, validator=[ge(0.0), lt(1.0)])

    def factor(self, at: Progress) -> float:
        return 1.0 - 0.5 * at.step / at.steps


@attrs.frozen
class IgnoresItsGain(Initializer):
    gain: float = attrs.field(default=1.0, validator=gt(0.0))

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: Any
    ) -> Array:
        filled: Array = (0.1 * rng.standard_normal(shape)).astype(dtype)
        return filled

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float]:
        return 0.0, 0.1


@pytest.mark.parametrize(
    ("cls", "option"),
    [(IgnoresItsMomentum, "momentum"), (IgnoresItsEnd, "end"), (IgnoresItsGain, "gain")],
)
def test_an_option_that_changes_nothing_is_told(cls: type[Plugin], option: str) -> None:
    report = run(of_class(cls, "idle", ""))
    assert report.ok
    assert report.notes == (f"option {option!r} changes nothing in what it computes",)


def test_an_option_that_may_not_be_changed_alone_is_changed_with_another() -> None:
    assert any(v.plugin.nesterov and v.plugin.momentum for v in variants(SGD))


def test_an_option_that_is_0_is_varied_and_so_is_a_plugin() -> None:
    assert {v.plugin.weight_decay for v in variants(SGD)} > {0.0}
    assert {v.plugin.slope for v in variants(He)} > {0.0}
    assert len({type(v.plugin.then) for v in variants(WarmUp)}) > 1


@attrs.frozen
class TwoScales(PlainActivation):
    inner: float = attrs.field(default=1.0, validator=gt(0.0))
    outer: float = attrs.field(default=1.0, validator=gt(0.0))

    def forward(self, x: Array) -> tuple[Array, Array]:
        return self.outer * np.tanh(self.inner * x), x

    def backward(self, dy: Array, saved: Array) -> Array:
        t = np.tanh(self.inner * saved)
        dx: Array = dy * self.outer * self.inner * (1.0 - t * t)
        return dx


def test_two_options_meet_on_both_sides_of_their_defaults() -> None:
    plugins = [v.plugin for v in variants(TwoScales)]
    sides = {(p.inner > 1.0, p.outer > 1.0) for p in plugins if 1.0 not in (p.inner, p.outer)}
    assert len(sides) == 4
    assert run(of_class(TwoScales, "two", "")).ok
