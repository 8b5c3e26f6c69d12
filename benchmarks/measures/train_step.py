"""Time of a training step: loss, gradients, update."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypedDict

from benchmarks.bench import Bench, Measure
from benchmarks.captions import Source
from benchmarks.ratios import BASE, geometric_means, milliseconds, ratios
from benchmarks.table import number, numbers
from benchmarks.turns import Worker, WorkerError, take_turns, workers

RIVALS: Final = ("torch_padded", "torch_packed", "torch_compiled", "jax", "plain_numpy")
PRODUCTS: Final = ("gemm_torch", "gemm_packed", "gemm_bound")
OPTIONAL: Final = ("torch_compiled",)
"""Who may fail: compiling wants a C++ compiler, and not all that can be written can be compiled."""

CELLS: Final = ("vanilla", "lstm", "gru")
SIZES: Final = (25, 128, 256)
AVERAGED: Final = ("vanilla", "lstm")
"""The cells whose ratios go into the geometric means."""

CHECKED: Final = 4
"""Batches on which all must have the same loss: the first, and those after one, two and three updates."""

TOLERANCE: Final = 1e-4


class TrainStep(TypedDict):
    """One setting."""

    cell: str
    batch: int
    ms: dict[str, float]
    ratio: dict[str, float]
    left_out: dict[str, str]
    kernels: dict[str, str]


class Disagreement(Exception):
    """Two contenders do not compute the same."""


def entries(bench: Bench) -> Iterator[TrainStep]:
    """All settings."""
    source = bench.source()
    for cell in CELLS:
        for n in SIZES[: 1 if bench.quick else None]:
            yield _entry(bench, source, cell, n)


def _entry(bench: Bench, source: Source, cell: str, n: int) -> TrainStep:
    task = bench.task(source.problem(cell, n), source, max(CHECKED, bench.steps))
    with workers((BASE, *RIVALS, *PRODUCTS), task, bench.threads) as contenders:
        left_out = warm_up(contenders)
        # Turns take about as long at all sizes: what a turn begins with, cold memory, must not decide.
        steps = bench.steps if bench.quick else bench.steps * max(1, SIZES[-1] // n)
        times = take_turns(contenders, bench.rounds, steps, bench.pause)
        kernels = {name: worker.kernel() for name, worker in contenders.items()}
    return TrainStep(
        cell=cell,
        batch=n,
        ms=milliseconds(times),
        ratio=ratios(times),
        left_out=left_out,
        kernels=kernels,
    )


def warm_up(contenders: dict[str, Worker]) -> dict[str, str]:
    """A few steps, which all must agree on; who may fail and does is taken out, and returned with the reason."""
    losses: dict[str, list[float]] = {}
    left_out = {}
    for name, worker in list(contenders.items()):
        try:
            found = [worker.result(i) for i in range(CHECKED)]
        except WorkerError as e:
            if name not in OPTIONAL:
                raise
            left_out[name] = str(e)
            del contenders[name]
        else:
            if name not in PRODUCTS:
                losses[name] = found
    agree(losses, TOLERANCE)
    return left_out


def agree(losses: Mapping[str, Sequence[float]], tolerance: float, base: str = BASE) -> None:
    """Check that all have the losses of the base.

    Raises:
        Disagreement: one is further away than `tolerance`, relative.
    """
    for name, found in losses.items():
        for i, (loss, wanted) in enumerate(zip(found, losses[base], strict=True)):
            if not math.isclose(loss, wanted, rel_tol=tolerance):
                raise Disagreement(f"after {i} updates, {base} has loss {wanted} and {name} {loss}")


def averages(found: Sequence[TrainStep]) -> dict[str, float]:
    """The geometric mean of each contender's ratios, over the vanilla network and the LSTM."""
    return geometric_means(e["ratio"] for e in found if e["cell"] in AVERAGED)


def row(entry: TrainStep) -> list[str]:
    """As text."""
    return [
        entry["cell"],
        str(entry["batch"]),
        number(entry["ms"][BASE]),
        *numbers(entry["ratio"], (*RIVALS, *PRODUCTS)),
    ]


MEASURE: Final = Measure(
    "Training step: rnnkit's milliseconds, and the time of each contender / rnnkit's",
    ("cell", "batch", "ms", *RIVALS, *PRODUCTS),
    entries,
    row,
)
