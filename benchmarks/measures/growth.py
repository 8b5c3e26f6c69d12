"""How the time of rnnkit's training step grows with each size, beside the bare products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypedDict

import attrs

from benchmarks.bench import Bench, Measure
from benchmarks.captions import random_source
from benchmarks.ratios import BASE, exponent, milliseconds
from benchmarks.table import number
from benchmarks.task import Problem
from benchmarks.turns import take_turns, workers

CONTENDERS: Final = (BASE, "gemm_bound")
START: Final = Problem(cell="lstm", batch=64, length=17, hidden=256)
"""The sizes that stay, while one of them changes."""

SIZES: Final = {
    "batch": (16, 32, 64, 128, 256),
    "length": (5, 9, 17, 33, 65),
    "hidden": (64, 128, 256, 512, 1024),
    "vocabulary": (1000, 2000, 4000, 8000, 16000, 32000),
}
LETTERS: Final = {"batch": "N", "length": "T", "hidden": "H", "vocabulary": "V"}


class Growth(TypedDict):
    """One size that changes; T counts time steps."""

    size: str
    values: list[int]
    ms: dict[str, list[float]]
    exponent: dict[str, float]


def entries(bench: Bench) -> Iterator[Growth]:
    """All sizes."""
    for field, values in SIZES.items():
        taken = values[:3] if bench.quick else values
        points = [
            _point(bench, Problem(**{**attrs.asdict(START), field: value})) for value in taken
        ]
        steps = [value - 1 if field == "length" else value for value in taken]
        ms = {name: [point[name] for point in points] for name in CONTENDERS}
        yield Growth(
            size=LETTERS[field],
            values=steps,
            ms=ms,
            exponent={name: exponent(steps, times) for name, times in ms.items()},
        )


def _point(bench: Bench, problem: Problem) -> dict[str, float]:
    """Milliseconds a step, on captions without padding."""
    source = random_source(2048, problem.vocabulary, problem.features, problem.length)
    task = bench.task(problem, source, bench.steps)
    with workers(CONTENDERS, task, bench.threads) as contenders:
        for worker in contenders.values():
            worker.seconds(bench.steps)
        times = take_turns(contenders, bench.rounds, bench.steps, bench.pause)
    return milliseconds(times)


def row(entry: Growth) -> list[str]:
    """As text."""
    values, times = entry["values"], entry["ms"][BASE]
    return [
        entry["size"],
        str(values[0]),
        str(values[-1]),
        number(times[0]),
        number(times[-1]),
        *(f"{entry['exponent'][name]:.2f}" for name in CONTENDERS),
    ]


MEASURE: Final = Measure(
    "Growth of a training step: the exponent p of time ~ size^p",
    ("size", "from", "to", "ms, first", "ms, last", "rnnkit p", "gemm_bound p"),
    entries,
    row,
)
