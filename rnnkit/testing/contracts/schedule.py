"""Schedules: a finite factor of at least 0 at every update, that depends on the progress alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Progress, Rng, Schedule
from rnnkit.testing.contracts.contract import Contract
from rnnkit.testing.example import Broken

RUNS: Final = ((1, 1), (7, 7), (12, 4), (10, 4), (3, 5), (90, 1), (4000, 20), (1_000_000, 1000))
"""Updates in all, updates to an epoch. What is left behind a warm-up need not be whole epochs."""

ASKED: Final = 100
"""How many updates of a run to ask about, the first and the last among them."""


def schedule_contracts(plugin: Schedule) -> Iterator[Contract]:
    """The contracts of one schedule."""
    yield Contract("factor", partial(_is_a_factor, plugin))
    yield Contract("pure", partial(_depends_on_progress_alone, plugin))


METRICS: Final = (
    (),
    (3.0,),
    (3.0, 2.0, 2.5, 2.5, 2.5, 2.5, 1.5),
    (-0.4, -0.5, math.nan, math.inf, 0.0),
)
"""Values of the metric so far: none yet, better and worse ones, and those of a network that diverges."""


def _points_of_runs() -> list[Progress]:
    return [
        Progress(step, steps, epoch_steps, METRICS[(step + steps) % len(METRICS)])
        for steps, epoch_steps in RUNS
        for step in np.unique(np.linspace(0, steps - 1, ASKED).astype(int)).tolist()
    ]


def _is_a_factor(plugin: Schedule, rng: Rng) -> None:
    for at in _points_of_runs():
        factor: object = plugin.factor(at)
        if not isinstance(factor, float):
            raise Broken(
                "factor",
                f"factor({at}) is {type(factor).__name__} {factor!r}, not a float: return float(...)",
            )
        if not math.isfinite(factor) or factor < 0.0:
            raise Broken(
                "factor",
                f"factor({at}) is {factor}: a factor on the learning rate is finite and at least 0",
            )


def _depends_on_progress_alone(plugin: Schedule, rng: Rng) -> None:
    asked = _points_of_runs()
    first = [plugin.factor(at) for at in asked]
    for i in rng.permutation(len(asked)).tolist():
        for schedule in (plugin, plugin, attrs.evolve(plugin)):  # type: ignore[misc]  # all are attrs
            again = schedule.factor(attrs.evolve(asked[i]))
            if again != first[i]:
                raise Broken(
                    "pure",
                    f"factor({asked[i]}) is {first[i]} at first and {again} when asked again, in another "
                    "order: it may depend on its Progress and the options only",
                )
