"""Learning-rate factors against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rnnkit.kinds import Progress, Schedule
from rnnkit_builtin.schedules.constant import Constant
from rnnkit_builtin.schedules.cosine import Cosine
from rnnkit_builtin.schedules.exponential import Exponential
from rnnkit_builtin.schedules.inverse_time import InverseTime
from rnnkit_builtin.schedules.linear import Linear
from rnnkit_builtin.schedules.one_cycle import OneCycle
from rnnkit_builtin.schedules.plateau import Plateau
from rnnkit_builtin.schedules.polynomial import Polynomial
from rnnkit_builtin.schedules.step import Step
from rnnkit_builtin.schedules.warm_up import WarmUp
from tests.torch_reference import cases

STEPS, EPOCH = 40, 4


def factors(schedule: Schedule) -> list[float]:
    """The factor of every update of a run."""
    return [schedule.factor(Progress(i, STEPS, EPOCH)) for i in range(STEPS)]


def test_constant_is_one() -> None:
    assert factors(Constant()) == [1.0] * STEPS


def test_exponential_decays_at_the_end_of_each_epoch() -> None:
    assert factors(Exponential(0.9)) == pytest.approx([0.9 ** (i // EPOCH) for i in range(STEPS)])


def test_smooth_exponential_decays_at_every_update() -> None:
    smooth = factors(Exponential(0.9, smooth=True))
    assert smooth == pytest.approx([0.9 ** (i / EPOCH) for i in range(STEPS)])
    assert smooth[::EPOCH] == pytest.approx(factors(Exponential(0.9))[::EPOCH])


def test_step_goes_down_every_so_many_epochs() -> None:
    stairs = [1.0] * 3 * EPOCH + [0.5] * 3 * EPOCH + [0.25] * 3 * EPOCH + [0.125] * EPOCH
    assert factors(Step(every=3, gamma=0.5)) == stairs


def test_cosine_goes_from_one_to_its_floor_over_the_run() -> None:
    wave = factors(Cosine(floor=0.2))
    assert wave[0] == 1.0
    assert wave[STEPS // 2] == pytest.approx(0.6)
    assert wave == pytest.approx(
        [0.2 + 0.8 * math.cos(0.5 * math.pi * i / STEPS) ** 2 for i in range(STEPS)]
    )


def test_warm_up_rises_to_one_and_stays() -> None:
    assert factors(WarmUp(5)) == pytest.approx([0.2, 0.4, 0.6, 0.8] + [1.0] * (STEPS - 4))


@pytest.mark.parametrize("then", [Exponential(0.9), Cosine(), Step(2)], ids=str)
def test_after_the_warm_up_the_rest_is_a_run_of_its_own(then: Schedule) -> None:
    k = 6
    rest = [then.factor(Progress(i, STEPS - k, EPOCH)) for i in range(STEPS - k)]
    assert factors(WarmUp(k, then))[k:] == rest
    assert rest[0] == 1.0


def test_inverse_time_falls_as_one_over_the_epochs() -> None:
    assert factors(InverseTime(0.5)) == pytest.approx(
        [1 / (1 + 0.5 * (i // EPOCH)) for i in range(STEPS)]
    )
    smooth = factors(InverseTime(0.5, smooth=True))
    assert smooth == pytest.approx([1 / (1 + 0.5 * i / EPOCH) for i in range(STEPS)])


def test_a_floor_is_where_a_polynomial_ends() -> None:
    line = factors(Polynomial(power=1.0, floor=0.2))
    assert line == pytest.approx([1.0 - 0.8 * i / STEPS for i in range(STEPS)])


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("linear", Linear(0.8, 0.1)),
        ("polynomial", Polynomial(2.5)),
        ("one-cycle", OneCycle()),
        ("one-cycle wide", OneCycle(0.55, 0.1, 50.0)),
    ],
)
def test_factors_equal_those_of_torch(name: str, schedule: Schedule) -> None:
    wanted = cases("schedules")[name]["factors"]
    np.testing.assert_allclose(factors(schedule), wanted, rtol=1e-10, atol=0)


@pytest.mark.parametrize("up", [{}, {"rise": 0.0}, {"rise": 0.01}, {"rise": 0.99}])
@pytest.mark.parametrize("steps", [1, 2, 3, 40])
def test_one_cycle_ends_far_down_however_short_the_run(steps: int, up: dict[str, float]) -> None:
    cycle = [OneCycle(**up).factor(Progress(i, steps, EPOCH)) for i in range(steps)]
    assert all(0.0 < factor <= 1.0 for factor in cycle)
    if steps > 2:
        assert cycle[-1] < 0.04


@pytest.mark.parametrize(
    ("name", "schedule", "sign"),
    [
        ("plateau", Plateau(patience=2), 1),
        ("plateau up", Plateau(patience=1, gamma=0.3), -1),
        ("plateau cool", Plateau(patience=0, threshold=0.05, cooldown=2, floor=0.1), 1),
    ],
)
def test_a_plateau_equals_that_of_torch(name: str, schedule: Schedule, sign: int) -> None:
    case = cases("schedules")[name]
    metric = tuple((sign * case["values"]).tolist())
    found = [schedule.factor(Progress(i, 40, 4, metric[:i])) for i in range(len(metric))]
    np.testing.assert_allclose(found, case["factors"], rtol=1e-10, atol=0)
    assert len(set(found)) > 2


def test_a_plateau_behind_a_warm_up_still_goes_by_the_metric() -> None:
    warm = WarmUp(5, Plateau(patience=0))
    assert warm.by_metric
    assert not WarmUp(5).by_metric
    assert warm.factor(Progress(20, STEPS, EPOCH, (1.0, 2.0))) == 0.5


def test_a_run_may_end_within_its_warm_up() -> None:
    assert factors(WarmUp(2 * STEPS, Cosine()))[-1] == 0.5
