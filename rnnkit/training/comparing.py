"""Several runs on the same captions in the same order: which learns faster, which learns more?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from rnnkit.captioning.evaluation import evaluate, nats_per_token
from rnnkit.data import Dataset
from rnnkit.errors import DataError
from rnnkit.metrics import check
from rnnkit.network.builder import assemble
from rnnkit.network.sizes import opened, sizes_of, tokenized
from rnnkit.parallel import ALONE, Ranks
from rnnkit.registry.labels import label
from rnnkit.spec import Spec
from rnnkit.training.history import Step
from rnnkit.training.planning import Reason, Run, attempt, make_plan
from rnnkit.training.trainer import Trainer

WINDOW: Final = 50
"""Updates that a loss is averaged over, where an epoch has that many."""


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
        name: the spec's file, or its number; with the values that it has of several, and a number behind it
            if the same was there before.
        cell: its cells with their options, bottom to top.
        parameters: number of them.
        window: updates that losses are averaged over: 50, or those of an epoch if it has fewer.
        curve: a point for each update.
        reached: whether the mean over a full window came down to the target, which ended the run.
        val_nats: negative log likelihood per token on val at the end, in nats; None without a val split.
        scores: of its captions on val at the end, as `rnnkit.metrics.scores` has them: those asked for.
    """

    number: int
    name: str
    cell: str
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


@attrs.frozen
class Failed:
    """A run that came to nothing.

    Attributes:
        number: as in `Learnt`.
        name: as in `Learnt`.
        reason: why.
        mistake: whether it is the user's to mend, rather than a fault in a plugin.
    """

    number: int
    name: str
    reason: str
    mistake: bool


Result: TypeAlias = Learnt | Failed


def _nothing(*_: object) -> None:
    pass


def compare(
    specs: Sequence[str | Path | Spec],
    data: str | Path | Dataset | None = None,
    *,
    until_loss: float | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    metrics: Sequence[str] = (),
    on_start: Callable[[str, Trainer], None] = _nothing,
    on_step: Callable[[Step], None] = _nothing,
    on_result: Callable[[Result], None] = _nothing,
    ranks: Ranks = ALONE,
) -> list[Result]:
    """Train each spec, in turn or in several processes, on the same captions in the same order.

    The mean loss is that per caption over the last 50 updates, or as many as make an epoch if that is fewer.
    A run that fails is a `Failed` in its place, and the others go on; a mistake in a spec that its values have
    nothing to do with is reported once.

    Args:
        specs: files, or specs in memory.
        data: a data folder or an open dataset; the `data.path` of the specs if left open.
        until_loss: end a run as soon as its mean loss is this or less.
        overrides: `path=value` texts that go over every file's values. An array for a field that takes none
            is several values, a run for each; with several such arrays, for each combination.
        seed: of all runs; that of the first spec that can be read if left open, or of each run its own if the
            overrides give several.
        metrics: of `rnnkit.metrics.METRICS`, for what each writes on val with its spec's decoder.
        on_start: called with the name of a run and its trainer before its first update, by whichever process
            has the run.
        on_step: called after each update, likewise.
        on_result: called with each result when it is there, by the first process alone.
        ranks: processes that are called with the same arguments, such as `rnnkit.parallel.job` has them; each
            run is one's alone, whichever is free.

    Returns:
        A result for each run, in the order given, the last of several arrays varying fastest; on processes
        beyond the first, none.

    Raises:
        SpecError: there is one seed for all, and several in the overrides.
        RnnkitError: there is no such metric, or what computes it is not installed.
    """
    ranks.first(partial(check, metrics))
    plan = ranks.first(partial(make_plan, specs, overrides, seed))

    def learn(run: Run) -> Learnt:
        spec = run.read(specs)
        if data is None and spec.data.path and not _same_folder(spec.data.path, plan.data):
            raise DataError(
                f"its data.path is {spec.data.path}, but the first spec's is {plan.data}; name one folder for "
                "all with --data"
            )
        if plan.seed is not None:
            spec = attrs.evolve(spec, model=attrs.evolve(spec.model, seed=plan.seed))
        with opened(spec, data or plan.data) as dataset:
            if dataset is None:
                raise DataError(
                    "comparing needs data: name a folder with data.path in the spec, or --data"
                )
            return _learn(run, spec, dataset, until_loss, metrics, on_start, on_step)

    def do(number: int) -> Result:
        run = plan.runs[number]
        found = attempt(partial(learn, run)) if run.problem is None else run.problem
        if isinstance(found, Reason):
            return Failed(number, run.name, found.text, found.mistake)
        return found

    results: list[Result] = []
    for _, result in ranks.spread(do, len(plan.runs)):
        results.append(result)
        on_result(result)
    return sorted(results, key=lambda result: result.number)


def _same_folder(path: str, other: str | None) -> bool:
    return other is not None and Path(path).resolve() == Path(other).resolve()


def _learn(
    run: Run,
    spec: Spec,
    dataset: Dataset,
    until_loss: float | None,
    metrics: Sequence[str],
    on_start: Callable[[str, Trainer], None],
    on_step: Callable[[Step], None],
) -> Learnt:
    in_words, dataset = dataset, tokenized(spec, dataset)
    model = assemble(spec, sizes_of(spec, dataset))
    reached = False

    def step_done(step: Step) -> None:
        nonlocal reached
        mean = curve.add(step)
        on_step(step)
        if until_loss is not None and step.number >= curve.window and mean <= until_loss:
            reached = trainer.stop = True

    trainer = Trainer(model, dataset.split("train"), on_step=step_done)
    curve = _Curve(min(WINDOW, trainer.epoch_steps))
    on_start(run.name, trainer)
    for _ in trainer.records():
        pass
    val = dataset.splits.get("val")
    scores: Mapping[str, float] = {}
    if metrics and val is not None:
        scores = evaluate(model.frozen(), in_words, "val", metrics=metrics).scores
    return Learnt(
        number=run.number,
        name=run.name,
        cell=" + ".join(label(level.cell) for level in spec.model.rnn),
        parameters=sum(w.size for w in model.parameters.values()),
        window=curve.window,
        curve=tuple(curve.points),
        reached=reached,
        val_nats=None if val is None else nats_per_token(model, val),
        scores=scores,
    )


class _Curve:
    """The points so far, and what the mean over the window needs."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.points: list[Point] = []
        self._recent: deque[tuple[float, int]] = deque(maxlen=window)

    def add(self, step: Step) -> float:
        """Add a point, and return its mean."""
        self._recent.append((step.loss, step.captions))
        captions = sum(n for _, n in self._recent)
        mean = sum(loss * n for loss, n in self._recent) / captions
        before = self.points[-1].seconds if self.points else 0.0
        self.points.append(Point(step.number, step.loss, mean, before + step.seconds))
        return mean
