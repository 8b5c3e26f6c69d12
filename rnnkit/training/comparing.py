"""Several runs on the same captions in the same order: which learns faster, which learns more?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from rnnkit.captioning.evaluation import evaluate, nats_per_token
from rnnkit.data import Dataset
from rnnkit.errors import DataError
from rnnkit.metrics import check
from rnnkit.network.scaling import parameters_of, scaled_to
from rnnkit.network.sizes import opened, sizes_of, tokenized
from rnnkit.parallel import ALONE, Ranks
from rnnkit.registry.labels import label
from rnnkit.spec import Spec
from rnnkit.training.curves import write_curves
from rnnkit.training.folders import make_free, make_new, write_settings
from rnnkit.training.history import Step
from rnnkit.training.planning import Planned, Reason, attempt, make_plan
from rnnkit.training.results import Failed, Learnt, Point, Result, write_results
from rnnkit.training.run import train
from rnnkit.training.trainer import Trainer

OUT: Final = Path("runs/compare")
CURVES: Final = "curves.csv"
RESULTS: Final = "results.json"

WINDOW: Final = 50
"""Updates that a loss is averaged over, where an epoch has that many."""


def _nothing(*_: object) -> None:
    pass


def compare(
    specs: Sequence[str | Path | Spec],
    data: str | Path | Dataset | None = None,
    *,
    out: str | Path | None = None,
    until_loss: float | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    seeds: int = 1,
    equal_parameters: bool | int = False,
    metrics: Sequence[str] = (),
    on_plan: Callable[[Path, Sequence[str]], None] = _nothing,
    on_start: Callable[[str, Trainer], None] = _nothing,
    on_step: Callable[[Step], None] = _nothing,
    on_result: Callable[[Result], None] = _nothing,
    on_warning: Callable[[str, str], None] = _nothing,
    ranks: Ranks = ALONE,
) -> list[Result]:
    """Train each spec, in turn or in several processes, on the same captions in the same order.

    The mean loss is that per caption over the last 50 updates, or as many as make an epoch if that is fewer.
    A run that fails is a `Failed` in its place, and the others go on; a mistake in a spec that its values have
    nothing to do with is reported once.

    Each run is one of `rnnkit.train`, in a folder of its own in `out`; `results.json` and `curves.csv` beside them
    have what has ended so far. Ctrl-C stops the run under way after its update, as it does in `train`.

    Args:
        specs: files, or specs in memory.
        data: a data folder or an open dataset; the `data.path` of the specs if left open.
        out: a folder that is not there yet, or is empty; `runs/compare` if left open, with a number behind it if
            there is one already.
        until_loss: end a run as soon as its mean loss is this or less.
        overrides: `path=value` texts that go over every file's values. An array for a field that takes none
            is several values, a run for each; with several such arrays, for each combination.
        seed: of all runs; that of the first spec that can be read if left open, or of each run its own if the
            overrides give several.
        seeds: run everything with so many: seed, seed + 1, ...; `rows_of` has mean and spread.
        equal_parameters: give each spec the hidden sizes at which its network has about as many parameters as the
            first, or as this number: see `rnnkit.network.scaling.scaled_to`.
        metrics: of `rnnkit.metrics.METRICS`, for what each writes on val with its spec's decoder.
        on_plan: called with the folder and the names of all runs before the first, by the first process alone.
        on_start: called with the name of a run and its trainer before its first update, by whichever process
            has the run.
        on_step: called after each update, likewise.
        on_result: called with each result when it is there, by the first process alone.
        on_warning: called with the name of a run and a sentence, as `train` has it, by whichever process has the run.
        ranks: processes that are called with the same arguments, such as `rnnkit.parallel.job` has them; each
            run is one's alone, whichever is free.

    Returns:
        A result for each run, in the order given, the last of several arrays varying faster and seeds fastest; on
        processes beyond the first, none.

    Raises:
        SpecError: there is one seed for all, or several for each, and several in the overrides; or `seeds` is
            less than 1.
        CheckpointError: there is something in `out`, or it cannot be made.
        RnnkitError: there is no such metric, or what computes it is not installed.
    """
    ranks.first(partial(check, metrics))
    plan = ranks.first(partial(make_plan, specs, overrides, seed, seeds))

    @contextmanager
    def ready(run: Planned) -> Iterator[tuple[Spec, Dataset]]:
        spec = run.read(specs)
        if data is None and spec.data.path and not _same_folder(spec.data.path, plan.data):
            raise DataError(
                f"its data.path is {spec.data.path}, but the first spec's is {plan.data}; name one folder for "
                "all with --data"
            )
        with opened(spec, data or plan.data) as dataset:
            if dataset is None:
                raise DataError(
                    "comparing needs data: name a folder with data.path in the spec, or --data"
                )
            yield spec, dataset

    def size(run: Planned) -> int:
        with ready(run) as (spec, dataset):
            return parameters_of(spec, sizes_of(spec, dataset))

    def first_size() -> int | None:
        """Of the first run whose network can be built; if there is none, each will say why."""
        found = (attempt(partial(size, run)) for run in plan.runs if run.problem is None)
        return next((number for number in found if isinstance(number, int)), None)

    wanted: int | None = None
    if equal_parameters is True:
        wanted = ranks.first(first_size)
    elif equal_parameters is not False:
        wanted = equal_parameters
    folder = ranks.first(partial(make_free, OUT) if out is None else partial(make_new, Path(out)))
    if ranks.rank == 0:
        on_plan(folder, [run.name for run in plan.runs])

    def learn(run: Planned) -> Learnt:
        with ready(run) as (spec, dataset):
            if wanted is not None:
                spec = scaled_to(spec, wanted, sizes_of(spec, dataset))
            given = specs[run.spec]
            source = None if isinstance(given, Spec) else str(given)
            return _learn(
                run,
                spec,
                source,
                data or plan.data,
                dataset,
                folder,
                until_loss,
                metrics,
                on_start,
                on_step,
                on_warning,
            )

    def do(number: int) -> Result:
        run = plan.runs[number]
        found = attempt(partial(learn, run)) if run.problem is None else run.problem
        if isinstance(found, Reason):
            return Failed(number, run.row, run.name, folder / run.folder, found.text, found.mistake)
        return found

    results: list[Result] = []
    for _, result in ranks.spread(do, len(plan.runs)):
        results.append(result)
        if isinstance(result, Learnt):
            write_results(results, folder / RESULTS)
            write_curves(results, folder / CURVES)
        on_result(result)
    if ranks.rank == 0 and not any(isinstance(result, Learnt) for result in results):
        with suppress(OSError):  # there is something in it
            folder.rmdir()
    return sorted(results, key=lambda result: result.number)


def _same_folder(path: str, other: str | None) -> bool:
    return other is not None and Path(path).resolve() == Path(other).resolve()


def _learn(
    run: Planned,
    spec: Spec,
    source: str | None,
    data: str | Path | Dataset | None,
    dataset: Dataset,
    folder: Path,
    until_loss: float | None,
    metrics: Sequence[str],
    on_start: Callable[[str, Trainer], None],
    on_step: Callable[[Step], None],
    on_warning: Callable[[str, str], None],
) -> Learnt:
    trainer: Trainer
    curve: _Curve
    reached = False

    def started(at_start: Trainer, folder: Path) -> None:
        nonlocal trainer, curve
        trainer, curve = at_start, _Curve(min(WINDOW, at_start.epoch_steps))
        if source is not None:  # for `train`, it is in memory
            write_settings(folder, trainer.model.spec, source)
        on_start(run.name, trainer)

    def step_done(step: Step) -> None:
        nonlocal reached
        mean = curve.add(step)
        on_step(step)
        if until_loss is not None and step.number >= curve.window and mean <= until_loss:
            reached = trainer.stop = True

    done = train(
        spec,
        data,
        folder / run.folder,
        on_start=started,
        on_step=step_done,
        on_warning=partial(on_warning, run.name),
        progress=False,
    )
    if not done.finished and not reached:
        raise KeyboardInterrupt
    model = done.model
    val = tokenized(spec, dataset).splits.get("val")
    scores: Mapping[str, float] = {}
    if metrics and val is not None:
        scores = evaluate(model.frozen(), dataset, "val", metrics=metrics).scores
    return Learnt(
        number=run.number,
        row=run.row,
        name=run.name,
        seed=spec.model.seed,
        folder=done.folder,
        cell=" + ".join(label(level.cell) for level in spec.model.rnn),
        hidden=tuple(level.hidden for level in spec.model.rnn),
        parameters=model.size,
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
