"""How to measure, and what a measurement is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import attrs

from benchmarks.captions import Source, random_source, read_source
from benchmarks.network import initial_parameters
from benchmarks.task import Problem, Task
from rnnkit.kinds.arrays import Array

E = TypeVar("E")


@attrs.frozen
class Bench:
    """How to measure.

    Attributes:
        folder: for what is written on the way; empty.
        data: a data folder, if there is one.
        rounds: how often each contender has its turn.
        steps: runs in a turn.
        pause: seconds before a turn.
        threads: for each contender.
        quick: whether only the smallest of everything is measured, to see that it runs.
    """

    folder: Path
    data: Path | None = None
    rounds: int = 7
    steps: int = 4
    pause: float = 0.3
    threads: int = 2
    quick: bool = False

    def source(self) -> Source:
        """What batches are drawn from."""
        return random_source() if self.data is None else read_source(self.data)

    def task(
        self,
        problem: Problem,
        source: Source,
        batches: int,
        parameters: Mapping[str, Array] | None = None,
        limit: int | None = None,
    ) -> Path:
        """Write a task, with initial parameters unless others are given; its folder."""
        folder = self.folder / f"task{len(list(self.folder.iterdir()))}"
        values = initial_parameters(problem) if parameters is None else parameters
        drawn = source.batches(problem.batch, batches)
        Task(problem, drawn, values, self.data and self.data.resolve(), limit).write(folder)
        return folder


@attrs.frozen
class Measure(Generic[E]):
    """One of the measurements.

    Attributes:
        title: for its table.
        headings: of the columns.
        entries: makes the measurement; an entry of the JSON file for each row, as they come.
        row: an entry as text, a cell for each heading.
        label_width: of the first column on the terminal.
    """

    title: str
    headings: Sequence[str]
    entries: Callable[[Bench], Iterator[E]]
    row: Callable[[E], list[str]]
    label_width: int = 8


class NotMeasured(Exception):
    """This cannot be measured here; the text says why."""
