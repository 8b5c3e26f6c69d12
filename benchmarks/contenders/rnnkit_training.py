"""rnnkit: a training step, and an epoch from a data folder."""

from __future__ import annotations

from collections.abc import Callable

import attrs

import rnnkit
from benchmarks.network import as_split, network
from benchmarks.task import Task
from rnnkit.data import Split
from rnnkit.training import Trainer


def step(task: Task) -> Callable[[int], float]:
    """One update."""
    model = network(task.problem, task.parameters)
    trainer = Trainer(model, as_split(task.batches[0]))

    def run(i: int) -> float:
        batch = task.batches[i]
        return trainer.update(batch.captions, batch.features).loss

    return run


def epoch(task: Task) -> Callable[[int], float]:
    """One pass over the captions of a folder, opening it included; the mean loss of a caption."""
    assert task.data is not None
    folder, limit = task.data, task.limit
    model = network(task.problem, task.parameters)

    def run(i: int) -> float:
        with rnnkit.open_data(folder) as data:
            (row,) = Trainer(model, _first(data.split("train"), limit)).records()
        return row.train_loss

    return run


def _first(split: Split, limit: int | None) -> Split:
    return attrs.evolve(split, captions=split.captions[:limit], image_idxs=split.image_idxs[:limit])
