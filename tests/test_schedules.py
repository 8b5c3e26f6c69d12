"""Learning-rate factors against their closed forms."""

from __future__ import annotations

import math

import pytest

from rnnkit.kinds import Progress, Schedule
from rnnkit_builtin.schedules.constant import Constant
from rnnkit_builtin.schedules.cosine import Cosine
from rnnkit_builtin.schedules.exponential import Exponential
from rnnkit_builtin.schedules.step import Step
from rnnkit_builtin.schedules.warm_up import WarmUp

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


def test_a_run_may_end_within_its_warm_up() -> None:
    assert factors(WarmUp(2 * STEPS, Cosine()))[-1] == 0.5
