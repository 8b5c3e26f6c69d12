"""Memory of a training step, above what the imports take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypedDict

from benchmarks.bench import Bench, Measure
from benchmarks.captions import random_source
from benchmarks.ratios import BASE
from benchmarks.table import numbers
from benchmarks.turns import workers

CONTENDERS: Final = (BASE, "torch_padded", "torch_packed", "jax")
VOCABULARIES: Final = (2541, 10_000, 50_000)
STEPS: Final = 3


class Memory(TypedDict):
    """One size of vocabulary."""

    cell: str
    batch: int
    vocabulary: int
    megabytes: dict[str, float]
    ratio: dict[str, float]


def entries(bench: Bench) -> Iterator[Memory]:
    """All vocabularies, on random captions."""
    n = 25 if bench.quick else 128
    for vocabulary in VOCABULARIES[: 1 if bench.quick else None]:
        source = random_source(vocabulary=vocabulary)
        task = bench.task(source.problem("lstm", n), source, STEPS)
        found = {name: _megabytes(name, task, bench.threads) for name in CONTENDERS}
        yield Memory(
            cell="lstm",
            batch=n,
            vocabulary=vocabulary,
            megabytes=found,
            ratio={name: found[name] / found[BASE] for name in CONTENDERS[1:]},
        )


def _megabytes(name: str, task: Path, threads: int) -> float:
    """The peak while the network is made and takes some steps, less what is resident after the imports."""
    with workers((name,), task, threads) as contenders:
        for i in range(STEPS):
            contenders[name].result(i)
        memory = contenders[name].memory()
    return (memory["peak"] - memory["imported"]) / 1e6


def row(entry: Memory) -> list[str]:
    """As text."""
    return [
        str(entry["vocabulary"]),
        *numbers(entry["megabytes"], CONTENDERS),
        *numbers(entry["ratio"], CONTENDERS[1:]),
    ]


MEASURE: Final = Measure(
    "Peak memory of training above the imports: megabytes, and ratio to rnnkit's",
    ("V", *(f"{name} MB" for name in CONTENDERS), *CONTENDERS[1:]),
    entries,
    row,
)
