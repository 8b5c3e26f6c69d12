"""Time of captioning a batch: greedy and with a beam."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypedDict

import numpy as np

from benchmarks.bench import Bench, Measure
from benchmarks.captions import random_source
from benchmarks.measures.train_step import Disagreement
from benchmarks.network import trained_parameters
from benchmarks.ratios import milliseconds, ratios
from benchmarks.table import number, numbers
from benchmarks.task import END
from benchmarks.turns import Worker, take_turns, workers
from rnnkit.kinds.arrays import Ints, Mask

WRITERS: Final = ("rnnkit_greedy", "rnnkit_beam", "torch_greedy", "onnx_greedy")
PRODUCTS: Final = "gemm_greedy"
CONTENDERS: Final = (*WRITERS, PRODUCTS)
OTHERS: Final = {"torch_greedy": "PyTorch", "onnx_greedy": "ONNX Runtime"}
SIZES: Final = (1, 128)
SINGLES: Final = 16
"""Runs in a turn at N = 1, each on another image, since captions differ in length."""

UPDATES: Final = 300
MEMORIZED: Final = 64
"""Random captions that are learnt by heart, where there are no real ones."""

ALIKE: Final = 0.99


class Decode(TypedDict):
    """One size of batch."""

    batch: int
    words: float
    ms: dict[str, float]
    ratio: dict[str, float]
    tokens_alike: dict[str, float]


def entries(bench: Bench) -> Iterator[Decode]:
    """All sizes, with the same trained LSTM."""
    source = bench.source() if bench.data else random_source(rows=MEMORIZED)
    updates = 20 if bench.quick else UPDATES
    parameters = trained_parameters(source.problem("lstm", 128), source, updates)
    for n in SIZES:
        steps = SINGLES if n == 1 else bench.steps
        problem = source.problem("lstm", n)
        task = bench.task(problem, source, steps, parameters)
        with workers(CONTENDERS, task, bench.threads) as contenders:
            tokens = {
                name: _tokens(contenders[name], steps, problem.length - 1) for name in WRITERS
            }
            same = {name: alike(tokens["rnnkit_greedy"], tokens[name]) for name in OTHERS}
            for name, share in same.items():
                if share < ALIKE:
                    raise Disagreement(
                        f"only {share:.1%} of {OTHERS[name]}'s tokens are those of rnnkit"
                    )
            times = take_turns(contenders, bench.rounds, steps, bench.pause)
        yield Decode(
            batch=n,
            words=float(np.mean((tokens["rnnkit_greedy"] != END).sum(axis=1))),
            ms=milliseconds(times),
            ratio=ratios(times, base="rnnkit_greedy"),
            tokens_alike=same,
        )


def _tokens(worker: Worker, runs: int, limit: int) -> Ints:
    """What it says of all images: (n, limit), filled up with end tokens."""
    rows = [row for i in range(runs) for row in worker.result(i)]
    return np.array([row + [END] * (limit - len(row)) for row in rows])


def alike(a: Ints, b: Ints) -> float:
    """The share of equal tokens, among those that are not behind the end in both (n, limit)."""
    counts = _until_end(a) | _until_end(b)
    return float((a == b)[counts].mean())


def _until_end(tokens: Ints) -> Mask:
    """Where a caption has not ended before."""
    mask: Mask = np.cumsum(tokens == END, axis=1) - (tokens == END) == 0
    return mask


def row(entry: Decode) -> list[str]:
    """As text."""
    return [
        str(entry["batch"]),
        number(entry["words"]),
        *numbers(entry["ms"], CONTENDERS),
        *numbers(entry["ratio"], CONTENDERS[1:]),
    ]


MEASURE: Final = Measure(
    "Captioning a batch, at most 16 words: milliseconds, and the times / rnnkit's greedy one",
    (
        "N",
        "words",
        "rnnkit ms",
        "beam 3 ms",
        "torch ms",
        "onnx ms",
        "gemm ms",
        "beam 3 ratio",
        "torch ratio",
        "onnx ratio",
        "gemm ratio",
    ),
    entries,
    row,
)
