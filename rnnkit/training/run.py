"""Runs: a folder in which a spec is trained, and from which training goes on after it was broken off.

last.h5       the model with all that going on takes, written at every evaluation and on Ctrl-C
previous.h5   the one before, should `last.h5` be damaged
taken.csv     what was taken over from another model, if the run began from one
best.h5       the model of the best evaluation, if one shows that something is learnt
history.csv   a row for each evaluation;  updates.csv  a row for every few updates
spec.toml     the resolved spec;  spec-until-N.toml  what it was up to update N, if the run went on with another
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec

import attrs

from rnnkit.captioning.evaluation import evaluate
from rnnkit.captioning.images import check_fits
from rnnkit.data import Dataset
from rnnkit.data.seen import Seen, own_folder
from rnnkit.errors import CheckpointError, DataError, SpecError, listed
from rnnkit.metrics import METRICS, check
from rnnkit.network.builder import assemble
from rnnkit.network.checkpoint import BEST, LAST, PREVIOUS, Kept
from rnnkit.network.maps import about_features
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import as_spec, opened, sizes_of, tokenized
from rnnkit.network.transfer import Taken
from rnnkit.parallel import ALONE, Ranks
from rnnkit.registry.labels import name_of
from rnnkit.spec import Problem, Spec, parse_spec, source_of
from rnnkit.system.files import remove_left_over, sole_owner
from rnnkit.system.glance import AtAGlance, Glance
from rnnkit.system.process import cut_into, threads
from rnnkit.training.display import Display, is_wanted
from rnnkit.training.divergence import Diverged, way_on
from rnnkit.training.folders import (
    SPEC,
    as_run,
    edits,
    keep_settings,
    make_folder,
    make_free,
    path_in,
    write_settings,
    written_by_run,
)
from rnnkit.training.history import RECORDS, UPDATES, History, Record, Step
from rnnkit.training.place import Scored
from rnnkit.training.saving import Saver, last_of, never_saved, saved_state
from rnnkit.training.starting import named, take_from, write_taken
from rnnkit.training.threads import cut_as_begun
from rnnkit.training.trainer import Trainer
from rnnkit.training.watching import Watch, look_before

VAL = "val"

P = ParamSpec("P")


@attrs.frozen(repr=False)
class Run(AtAGlance):
    """A run that has come to its end, or was broken off.

    Attributes:
        folder: where it is.
        model: as it is after the last update; that of the best evaluation is `best.h5`.
        history: all its rows.
        finished: whether it came to its end; else `train(resume=folder)` goes on.
        asked: the signal that asked it to end before that, such as SIGINT for Ctrl-C.
        taken: what was taken over from another model, parameter by parameter, if it began from one.
    """

    folder: Path
    model: Captioner
    history: History
    finished: bool
    asked: signal.Signals | None = None
    taken: tuple[Taken, ...] = ()

    def _glance(self) -> Glance:
        records = self.history.records
        rows = [
            (title, _told(record))
            for title, record in (
                ("best", next((r for r in reversed(records) if r.best), None)),
                ("last", records[-1] if records else None),
            )
            if record is not None
        ]
        cells = " + ".join(name_of(row.cell) for row in self.model.spec.model.rnn)
        rows.append(("model", f"{cells}, {self.model.size:,} parameters"))
        if not self.finished:
            rows.append(("go on", f"rnnkit.train(resume={str(self.folder)!r})"))
        return f"Run {self.folder}: {'finished' if self.finished else 'not finished'}", rows


def _told(record: Record) -> str:
    val = record.val_perplexity
    return (
        f"epoch {record.epoch}, update {record.step:,}: perplexity {record.train_perplexity:.2f} on train"
        + ("" if val is None else f", {val:.2f} on val")
    )


def _nothing(*_: object) -> None:
    pass


def _both(first: Callable[P, None], then: Callable[P, None]) -> Callable[P, None]:
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        first(*args, **kwargs)
        then(*args, **kwargs)

    return call


def train(
    spec: str | Path | Spec | None = None,
    data: str | Path | Dataset | None = None,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    *,
    resume: str | Path | None = None,
    start_from: str | Path | Captioner | None = None,
    on_start: Callable[[Trainer, Path], None] = _nothing,
    on_step: Callable[[Step], None] = _nothing,
    on_record: Callable[[Record], None] = _nothing,
    on_damage: Callable[[str], None] = _nothing,
    on_warning: Callable[[str], None] = _nothing,
    on_edit: Callable[[str], None] = _nothing,
    progress: bool | None = None,
    ranks: Ranks = ALONE,
) -> Run:
    """Train the network of a spec, and keep what comes of it in a folder; or go on with a run.

    Ctrl-C stops it after the update under way; what has been learnt is saved. A run that was broken off,
    however that came, goes on from its last checkpoint exactly as if it had never been.

    Args:
        spec: a file, or a spec in memory.
        data: a data folder; the spec's `data.path` if left open.
        out: the run's folder, which must not hold a run yet, but for one that was ended before its first
            checkpoint; `runs/NAME` if left open, with a number behind it if there is one already.
        overrides: `path=value` texts that go over a file's values, or over those of the run's spec.
        resume: the folder of a run to go on with, instead of a spec and `out`.
        start_from: a model, its file or the folder of its run, whose parameters are taken over where the network of the
            spec has the same (`Run.taken` says which); words are matched by spelling. It is needed only now: the run's
            first checkpoint, before any update, has all of it.
        on_start: called with the trainer and the folder before the first update.
        on_step: called after each update.
        on_record: called after each evaluation.
        on_damage: called with a sentence if the last checkpoint was damaged, and the one before is used.
        on_warning: called with a sentence, once for each, about data that is suspicious, and evaluations that
            show that nothing is learnt.
        on_edit: called with a sentence if the run's `spec.toml` has been edited; the run goes on with the edits.
        progress: whether to show a bar, a row for each evaluation, and what is told to `on_damage`, `on_warning`
            and `on_edit`; if left open, in a terminal or a notebook. A bar in a notebook needs ipywidgets.
        ranks: processes that do this together, such as `rnnkit.parallel.job` has them: each is called with
            the same arguments, and the first alone writes files and calls what there is to be called. A run
            does not know how many there were, and may go on with more or fewer.

    Raises:
        SpecError: the spec has mistakes, or does not fit the data.
        DataError: the data folder has, or nothing to learn from; its image features are not those of the model to
            start from; or training diverged.
        CheckpointError: the folder holds a run already, or cannot be written; or there is no run to go on
            with, or not on this data; or no model to start from.
    """
    if (spec is None) == (resume is None) or (resume is not None and out is not None):
        raise SpecError("training needs either a spec, or a run to resume")
    if resume is not None and start_from is not None:
        raise SpecError("a run that is resumed has its parameters; start_from is for a spec")
    on_taken: Callable[[Sequence[Taken]], None] = _nothing
    tell: Callable[[str], None] = _nothing
    if ranks.rank:
        on_start = on_step = on_record = on_edit = _nothing
    with ExitStack() as entered:
        entered.enter_context(cut_into(threads().cuts))
        if ranks.rank == 0 and is_wanted(progress):
            of = spec if resume is None else resume
            called = "a spec in memory" if isinstance(of, Spec) else str(of)
            display = Display(called, resume is not None, plain=ranks.size > 1)
            entered.enter_context(display)
            on_start, on_step = _both(display.on_start, on_start), _both(display.on_step, on_step)
            on_record, on_edit = _both(display.on_record, on_record), _both(display.tell, on_edit)
            on_taken, tell = display.on_taken, display.tell
            on_damage, on_warning = _both(display.tell, on_damage), _both(display.warn, on_warning)
        kept: Kept | None = None
        source = None
        if resume is not None:
            folder = as_run(resume)
            ranks.first(partial(entered.enter_context, sole_owner(folder)))
            kept = ranks.first(partial(last_of, folder, on_damage))
            spec = parse_spec(*ranks.first(partial(_settings, folder, kept, on_edit)), overrides)
        else:
            assert spec is not None
            given, spec = spec, as_spec(spec, overrides)
            source = "a spec in memory" if isinstance(given, Spec) else str(given)
            name = "run" if isinstance(given, Spec) else Path(given).stem
        spec, in_words = entered.enter_context(_data(spec, data, kept))
        dataset = tokenized(spec, in_words, kept.vocabulary if kept else None)
        ranks.first(partial(look_before, spec, dataset, in_words, on_warning))
        sizes = sizes_of(spec, dataset)  # tells where the data has other sizes than the run
        taken: tuple[Taken, ...] = ()
        if kept is None:
            if start_from is None:
                _check_has_learnt(spec)
            model = assemble(spec, sizes, begins=True)
            for note in model.notes:
                tell(note)
            if start_from is not None:
                taken = take_from(model, start_from, in_words, on_warning)
                on_taken(taken)
        else:
            model = kept.model(spec)
            check_fits(model, in_words)
            ranks.first(partial(_check_seen, kept, in_words))
        said = about_features(model, in_words)
        if said is not None and not ranks.rank:
            on_warning(said)
        in_memory = isinstance(data, Dataset)
        seen = ranks.first(partial(Seen.of, in_words, None if in_memory else in_words.folder))
        trainer = Trainer(
            attrs.evolve(model, seen=seen, pipeline=in_words.pipeline or model.pipeline),
            dataset.split("train"),
            dataset.splits.get(VAL),
            on_step,
            _score(model.spec, in_words, ranks),
            ranks,
            None if start_from is None else named(start_from),
        )
        if resume is None:
            folder = ranks.first(
                partial(make_free, Path("runs") / name)
                if out is None
                else partial(make_folder, Path(out))
            )
            ranks.first(partial(entered.enter_context, sole_owner(folder)))
            ranks.first(partial(_check_free, folder))
        if kept is not None:
            place, slots, averages = saved_state(kept)
            entered.enter_context(cut_as_begun(place, ranks.size, tell))
            if parse_spec(kept.spec).train.metric != model.spec.train.metric:
                before = len(place.history.records)  # what was best was so by another
                place = attrs.evolve(place, best=None, waited=0, judged_since=before)
            trainer.go_to(place, slots, averages)
            if trainer.finished:
                on_start(trainer, folder)
                return Run(folder, trainer.model, trainer.history, finished=True)
            ranks.first(partial(keep_settings, folder, trainer.step, kept.spec, model.spec))
        ranks.first(partial(remove_left_over, folder))
        if kept is None:  # the best model of a run that was ended before its first checkpoint
            ranks.first(partial((folder / BEST).unlink, missing_ok=True))
        saver = Saver(trainer, folder, kept)
        if taken or model.notes:  # a spec alone could not begin the run again
            ranks.first(partial(saver.save, trainer.slots()))
        if taken:
            ranks.first(partial(write_taken, taken, folder))
        ranks.first(partial(write_settings, folder, model.spec, source))
        on_start(trainer, folder)
        watch = Watch(trainer, in_words, on_warning)
        try:
            with _stopping_when_asked(trainer, ranks) as came:
                if trainer.look_before_reward():
                    ranks.first(partial(saver.save, trainer.slots(), best=True))
                for record in trainer.records():
                    ranks.first(partial(saver.save, trainer.slots(), record.best))
                    on_record(record)
                    ranks.first(partial(watch.look, record))
            if trainer.stopped():
                ranks.first(partial(saver.save, trainer.slots()))
        except Diverged as e:
            raise DataError(f"{e}: {way_on(folder, saver.saved, spec.train.optimizer)}") from e
        asked = next(iter(came), None)
        return Run(folder, trainer.model, trainer.history, trainer.finished, asked, taken)


@contextmanager
def _data(
    spec: Spec, data: str | Path | Dataset | None, kept: Kept | None
) -> Iterator[tuple[Spec, Dataset]]:
    """The open data to train on, and the spec with its path as it was given."""
    given = spec.data.path if data is None else data
    if data is None and kept is not None and spec.data.path == path_in(kept.spec):
        data = own_folder(spec.data.path, kept.seen)
    with opened(spec, data) as dataset:
        if dataset is None:
            raise DataError(
                "training needs data: name a folder with data.path in the spec, or --data"
            )
        if isinstance(given, str | Path):
            spec = spec.with_data(given)
        yield spec, dataset


def _score(spec: Spec, dataset: Dataset, ranks: Ranks) -> Callable[[Captioner], Scored] | None:
    """What the best model is chosen by, if that is not nats.

    Raises:
        RnnkitError: what computes it is not installed.
    """
    wanted = spec.train.metric
    if wanted == "nats" or VAL not in dataset.splits:
        return None
    metrics = [metric for metric, values in METRICS.items() if wanted in values]
    check(metrics)

    def score(model: Captioner) -> Scored:
        found = evaluate(model, dataset, VAL, metrics=metrics, ranks=ranks)
        words = [len(one.caption.split()) for one in found.captions]
        return Scored(found.scores[wanted], sum(words) / max(len(words), 1))

    return score


def _check_has_learnt(spec: Spec) -> None:
    """That a reward is not what a network is to learn from first: none of its captions would be worth anything.

    Raises:
        SpecError: it is.
    """
    reward = spec.train.reward
    if reward is not None and not reward.after:
        text = (
            "a network that has learnt nothing draws captions that are worth nothing: begin from a model, with --from, "
            "or with some epochs by the loss, as in after = 10"
        )
        raise spec.origin.error([Problem(("train", "reward", "after"), text)])


def _settings(folder: Path, kept: Kept | None, on_edit: Callable[[str], None]) -> tuple[str, str]:
    """What a run goes on with, and what errors call it: its `spec.toml` if that has been edited."""
    if kept is not None:
        own = kept.spec, f"{kept.file}:spec"
        edited = edits(folder, parse_spec(*own))
        if not edited:
            return own
        on_edit(
            f"{folder / SPEC} is not what the last checkpoint has; the run goes on with {listed(edited)}"
        )
    return source_of(folder / SPEC), str(folder / SPEC)


def _check_seen(kept: Kept, dataset: Dataset) -> None:
    """That the data is what the run began with."""
    other = kept.seen and kept.seen.other(dataset, captions=True)
    if other:
        raise CheckpointError(
            f"{other} in {dataset.folder} are not those that the run began with; resume it on the same data"
        )


ASKING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that ask a program to end: Ctrl-C, a scheduler or a shutdown, a terminal that is closed."""


@contextmanager
def _stopping_when_asked(trainer: Trainer, ranks: Ranks) -> Iterator[list[signal.Signals]]:
    """Ctrl-C and its like ask the trainer to stop, so that no update is left half done; a second one breaks off.

    Yields:
        What came, in order. To the processes that it has started, `mpiexec` may hand Ctrl-C on as SIGTERM.
    """
    came: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.getsignal(number) for number in ASKING}

    def stop(number: int, _: object) -> None:
        trainer.stop = True
        came.append(signal.SIGINT if ranks.size > 1 else signal.Signals(number))
        signal.signal(number, before[signal.Signals(number)])

    for number in ASKING:
        signal.signal(number, stop)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_free(folder: Path) -> None:
    """That a folder has no run, but for one that was ended before its first checkpoint."""
    if any((folder / n).exists() for n in (LAST, PREVIOUS, BEST)) and not never_saved(folder):
        raise CheckpointError(
            f"{folder} has a run already; resume it (--resume), choose another folder, or remove it"
        )
    of_nobody = [
        n for n in (RECORDS, UPDATES) if (folder / n).exists() and not (folder / SPEC).exists()
    ]
    if of_nobody:
        raise CheckpointError(
            f"{folder} has a {of_nobody[0]}, but no run that could have written it; choose another folder, or move it "
            "away"
        )
    if (folder / SPEC).exists() and not written_by_run(folder):
        raise CheckpointError(
            f"{folder} has a {SPEC} that no run has written; choose another folder, or move it away"
        )
