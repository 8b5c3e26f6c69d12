"""What anyone can measure in three minutes: training steps, and how far their ratios are the same in every round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypedDict

from benchmarks.bench import Bench, Measure
from benchmarks.measures.train_step import AVERAGED, CHECKED, warm_up
from benchmarks.ratios import BASE, milliseconds, ratios, spreads
from benchmarks.table import number
from benchmarks.turns import take_turns, workers

RIVALS: Final = ("torch_padded", "torch_packed", "plain_numpy")
PRODUCTS: Final = "gemm_bound"
OTHERS: Final = (*RIVALS, PRODUCTS)

MOST_ROUNDS: Final = 5
SHARES: Final = {25: 2.0, 128: 0.5}
"""How many times a turn's usual steps each size of batch takes, so that all turns take about as long."""

APART: Final = 0.2
"""Part of a ratio that its rounds, but for the highest and the lowest, may be apart; else it is not to be trusted."""


class Quick(TypedDict):
    """One setting."""

    cell: str
    batch: int
    ms: dict[str, float]
    ratio: dict[str, float]
    spread: dict[str, tuple[float, float]]
    kernels: dict[str, str]


def entries(bench: Bench) -> Iterator[Quick]:
    """The vanilla network and the LSTM at the smaller sizes of batch."""
    source, rounds = bench.source(), min(bench.rounds, MOST_ROUNDS)
    for cell in AVERAGED:
        for n, share in SHARES.items():
            task = bench.task(source.problem(cell, n), source, CHECKED)
            with workers((BASE, *OTHERS), task, bench.threads) as contenders:
                warm_up(contenders)
                steps = max(1, round(bench.steps * share))
                times = take_turns(contenders, rounds, steps, bench.pause)
                kernels = {name: worker.kernel() for name, worker in contenders.items()}
            yield Quick(
                cell=cell,
                batch=n,
                ms=milliseconds(times),
                ratio=ratios(times),
                spread=spreads(times),
                kernels=kernels,
            )


def row(entry: Quick) -> list[str]:
    """As text: each ratio with its lowest and highest round."""
    told = [
        f"{number(entry['ratio'][name])} ({number(low)}-{number(high)})"
        for name in OTHERS
        for low, high in [entry["spread"][name]]
    ]
    return [entry["cell"], str(entry["batch"]), number(entry["ms"][BASE]), *told]


def apart(entries: list[Quick]) -> list[str]:
    """The ratios that are not to be trusted, because rounds do not agree on them."""
    return [
        f"{name}, {entry['cell']}, batch {entry['batch']}"
        for entry in entries
        for name in OTHERS
        if entry["spread"][name][1] - entry["spread"][name][0] > APART * entry["ratio"][name]
    ]


MEASURE: Final = Measure(
    "Training step: rnnkit's milliseconds, and the time of each contender / rnnkit's (and in the rounds between)",
    ("cell", "batch", "ms", *(name.rjust(18) for name in OTHERS)),
    entries,
    row,
)
