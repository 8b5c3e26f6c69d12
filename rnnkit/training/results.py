"""What comes of the runs of a comparison, and of several runs that differ in their seeds alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from rnnkit.system.files import write_text_whole
from rnnkit.system.json_text import json_text

LOWER_IS_BETTER: Final = ("loss", "val_nats")
"""Of the values of a run; of scores, higher is."""


@attrs.frozen
class Point:
    """One update of a run.

    Attributes:
        update: its number, from 1.
        loss: of its batch before the update, summed over time and averaged over captions.
        mean: of the losses over the window that ends here, per caption; of all so far until it is full.
        seconds: of training so far.
    """

    update: int
    loss: float
    mean: float
    seconds: float


@attrs.frozen
class Learnt:
    """What came of one run.

    Attributes:
        number: its place among all, from 0.
        row: the spec's file, or its number; with the values that it has of several, and a number behind it
            if the same was there before. Runs that differ in their seeds alone have one row.
        name: the row, and the seed if there are several for each.
        seed: of initial values, order and dropout.
        folder: of the run, as `rnnkit.train` makes it.
        cell: its cells with their options, bottom to top.
        hidden: H of each.
        parameters: number of them.
        window: updates that losses are averaged over: 50, or those of an epoch if it has fewer.
        curve: a point for each update.
        reached: whether the mean over a full window came down to the target, which ended the run.
        val_nats: negative log likelihood per token on val at the end, in nats; None without a val split.
        scores: of its captions on val at the end, as `rnnkit.metrics.scores` has them: those asked for.
    """

    number: int
    row: str
    name: str
    seed: int
    folder: Path
    cell: str
    hidden: tuple[int, ...]
    parameters: int
    window: int
    curve: Sequence[Point] = attrs.field(repr=False)
    reached: bool
    val_nats: float | None
    scores: Mapping[str, float]

    @property
    def updates(self) -> int:
        """Number of updates; if the target was reached, those that it took."""
        return len(self.curve)

    @property
    def loss(self) -> float:
        """The mean over the last window."""
        return self.curve[-1].mean

    @property
    def seconds(self) -> float:
        """Time in updates, without validation; if the target was reached, what that took."""
        return self.curve[-1].seconds

    @property
    def values(self) -> dict[str, float]:
        """What runs are judged by, under its name: loss, val_nats, and each score."""
        nats = {} if self.val_nats is None else {"val_nats": self.val_nats}
        return {"loss": self.loss, **nats, **self.scores}


@attrs.frozen
class Failed:
    """A run that came to nothing.

    Attributes:
        number: as in `Learnt`.
        row: as in `Learnt`.
        name: as in `Learnt`.
        folder: as in `Learnt`; it may not be there.
        reason: why.
        mistake: whether it is the user's to mend, rather than a fault in a plugin.
    """

    number: int
    row: str
    name: str
    folder: Path
    reason: str
    mistake: bool


Result: TypeAlias = Learnt | Failed


@attrs.frozen
class Estimate:
    """What several runs say of a value.

    Attributes:
        mean: of the runs' values x_i, i = 1 .. n.
        spread: their sample standard deviation, sqrt(sum (x_i - mean)^2 / (n - 1)); None of one run.
        n: number of runs.
    """

    mean: float
    spread: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """The estimate from one value or more."""
        spread = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), spread, len(values))

    def apart_from(self, other: Estimate) -> bool:
        """Whether the ranges mean - spread to mean + spread of the two have no point in common.

        It is no test of significance. Where a spread is not known, nothing is apart.
        """
        if self.spread is None or other.spread is None:
            return False
        return abs(self.mean - other.mean) > self.spread + other.spread


@attrs.frozen
class Row:
    """The runs of a comparison that differ in their seeds alone.

    Attributes:
        name: `Learnt.row` of all.
        learnt: those that came to something, in order.
        failed: the others.
    """

    name: str
    learnt: tuple[Learnt, ...]
    failed: tuple[Failed, ...]

    @property
    def values(self) -> dict[str, Estimate]:
        """Each of `Learnt.values` that all have, as its estimate from all."""
        found = [run.values for run in self.learnt]
        return {
            name: Estimate.of([values[name] for values in found])
            for name in (found[0] if found else ())
            if all(name in values for values in found)
        }


def rows_of(results: Sequence[Result]) -> list[Row]:
    """The results by row, in the order of their numbers."""
    ordered = sorted(results, key=lambda result: result.number)
    return [
        Row(
            name,
            tuple(r for r in ordered if isinstance(r, Learnt) and r.row == name),
            tuple(r for r in ordered if isinstance(r, Failed) and r.row == name),
        )
        for name in dict.fromkeys(result.row for result in ordered)
    ]


def level_with_best(rows: Sequence[Row], value: str) -> set[str]:
    """The names of rows whose difference from the best one, in a value, lies within the spread.

    The best has the least mean of the losses, or the greatest of a score, and is not among them.
    """
    found = {row.name: row.values[value] for row in rows if value in row.values}
    if not found:
        return set()
    sign = 1.0 if value in LOWER_IS_BETTER else -1.0
    best = min(found, key=lambda name: sign * found[name].mean)
    return {
        name
        for name, estimate in found.items()
        if name != best and not estimate.apart_from(found[best])
    }


def as_json(result: Result) -> dict[str, object]:
    """A result as `rnnkit compare --json` has it, without its curve."""
    if isinstance(result, Failed):
        return {
            "spec": result.row,
            "run": result.name,
            "failed": result.reason,
            "mistake": result.mistake,
        }
    return {
        "spec": result.row,
        "run": result.name,
        "seed": result.seed,
        "folder": str(result.folder),
        "cell": result.cell,
        "hidden": list(result.hidden),
        "parameters": result.parameters,
        "reached": result.reached,
        "updates": result.updates,
        "window": result.window,
        "loss": result.loss,
        "val_nats": result.val_nats,
        "scores": dict(result.scores),
        "seconds": result.seconds,
    }


def write_results(results: Sequence[Result], file: Path) -> None:
    """Write the results as JSON, as `rnnkit compare --json` has them.

    Raises:
        CheckpointError: the file cannot be written.
    """
    ordered = sorted(results, key=lambda result: result.number)
    write_text_whole(file, json_text([as_json(result) for result in ordered], indent=2) + "\n")
