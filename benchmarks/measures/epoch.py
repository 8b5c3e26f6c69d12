"""Time of one epoch from a data folder: opening it, reading, shuffling, all updates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypedDict

from benchmarks.bench import Bench, Measure, NotMeasured
from benchmarks.measures.train_step import agree
from benchmarks.ratios import milliseconds, ratios
from benchmarks.table import number
from benchmarks.turns import take_turns, workers

BATCH: Final = 128
ROUNDS: Final = 3
QUICK_LIMIT: Final = 5 * BATCH
TOLERANCE: Final = 0.02
"""Between the mean losses of an epoch; the batches are shuffled differently."""


class Epoch(TypedDict):
    """The one setting."""

    cell: str
    batch: int
    captions: int
    seconds: dict[str, float]
    ratio: dict[str, float]


def entries(bench: Bench) -> Iterator[Epoch]:
    """An LSTM's epoch."""
    if bench.data is None or not (bench.data / "captions.h5").exists():
        raise NotMeasured("an epoch needs a data folder: --data DIR")
    source, limit = bench.source(), QUICK_LIMIT if bench.quick else None
    task = bench.task(source.problem("lstm", BATCH), source, 1, limit=limit)
    with workers(("rnnkit_epoch", "torch_epoch"), task, bench.threads) as contenders:
        times = take_turns(contenders, min(bench.rounds, ROUNDS), 1, bench.pause)
        losses = {name: [worker.last()] for name, worker in contenders.items()}
    agree(losses, TOLERANCE, base="rnnkit_epoch")
    yield Epoch(
        cell="lstm",
        batch=BATCH,
        captions=len(source.captions[:limit]),
        seconds={name: ms / 1e3 for name, ms in milliseconds(times).items()},
        ratio=ratios(times, base="rnnkit_epoch"),
    )


def row(entry: Epoch) -> list[str]:
    """As text."""
    return [
        entry["cell"],
        str(entry["batch"]),
        str(entry["captions"]),
        number(entry["seconds"]["rnnkit_epoch"]),
        number(entry["seconds"]["torch_epoch"]),
        number(entry["ratio"]["torch_epoch"]),
    ]


MEASURE: Final = Measure(
    "One epoch from a data folder, reading it included, beside packed PyTorch",
    ("cell", "batch", "captions", "rnnkit s", "torch_packed s", "ratio"),
    entries,
    row,
)
