"""Where the time of rnnkit's training step goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypedDict

from benchmarks.bench import Bench, Measure
from benchmarks.contenders.rnnkit_parts import PARTS
from benchmarks.measures.train_step import AVERAGED, CHECKED, SIZES
from benchmarks.table import number
from benchmarks.turns import workers


class Parts(TypedDict):
    """One setting: milliseconds a step of each part."""

    cell: str
    batch: int
    ms: dict[str, float]


def entries(bench: Bench) -> Iterator[Parts]:
    """The vanilla network and the LSTM."""
    source = bench.source()
    for cell in AVERAGED:
        for n in SIZES[: 1 if bench.quick else None]:
            task = bench.task(source.problem(cell, n), source, max(CHECKED, bench.steps))
            with workers(("rnnkit_parts",), task, bench.threads) as contenders:
                seconds = contenders["rnnkit_parts"].result(0)
            yield Parts(cell=cell, batch=n, ms={name: 1e3 * s for name, s in seconds.items()})


def row(entry: Parts) -> list[str]:
    """As text: the time of a step, and what part of it each has."""
    whole = sum(entry["ms"].values())
    shares = (f"{entry['ms'][name] / whole:.2f}" for name in PARTS)
    return [entry["cell"], str(entry["batch"]), number(whole), *shares]


MEASURE: Final = Measure(
    "Where the time of rnnkit's training step goes: parts of 1",
    ("cell", "batch", "ms", *PARTS),
    entries,
    row,
)
