"""Training: epochs over shuffled captions, a model file and a history at the end of each."""

from __future__ import annotations

import csv
import io
import math
import operator
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from rnnkit.builder import as_spec, assemble, sizes_of, tokenized
from rnnkit.checkpoint import save_model
from rnnkit.data import Dataset, Split, open_data
from rnnkit.errors import CheckpointError, DataError
from rnnkit.files import write_text_whole
from rnnkit.kinds import Array, Ints, Progress, Slots, map_arrays
from rnnkit.model import Captioner
from rnnkit.process import pieces, together
from rnnkit.spec import Spec, write_spec

EVAL_BATCH: Final = 256

UPDATE_SIZE: Final = 1 << 17
"""Elements that are updated at once: what the optimizer computes on the way stays in the processor's cache."""

_SHUFFLE: Final = 1
"""Second word of the training generator's seed: its numbers must not repeat those of initial values."""

_DROPOUT: Final = 2
"""The same for a generator of dropout alone."""


@attrs.frozen
class Step:
    """What one update did.

    Attributes:
        number: of updates so far, this one included.
        steps: of updates in the whole run.
        loss: of the batch before the update, summed over time and averaged over captions.
        tokens: unmasked positions of the batch.
        captions: of the batch.
        seconds: that it took.
    """

    number: int
    steps: int
    loss: float
    tokens: int
    captions: int
    seconds: float


@attrs.frozen
class Epoch:
    """One row of a run's history.

    Attributes:
        epoch: number of whole passes done (the last row of an interrupted run counts the broken one too).
        step: updates done.
        seconds: since the run began.
        learning_rate_factor: the schedule's, at the last update.
        train_loss: mean over the epoch's updates, summed over time and averaged over captions.
        train_nats: the same per token, in nats, as training saw it (with dropout, while learning).
        train_perplexity: exp(train_nats).
        val_nats: negative log likelihood per token on val, in nats; empty without a val split.
        val_perplexity: exp(val_nats).
        tokens_per_second: trained on.
    """

    epoch: int
    step: int
    seconds: float
    learning_rate_factor: float
    train_loss: float
    train_nats: float
    train_perplexity: float
    val_nats: float | None
    val_perplexity: float | None
    tokens_per_second: float


def _nothing(_: object) -> None:
    pass


class Trainer:
    """Trains a model on a split.

    With `same_order`, the order of captions follows from the seed alone: otherwise dropout draws from the
    same generator, so that networks with and without it part ways after an epoch.

    Attributes:
        model: whose parameters are updated in place.
        step: updates done.
        factor: the schedule's, at the last update.
        stop: set it, from a callback or a signal handler, to end after the update under way.
    """

    def __init__(
        self,
        model: Captioner,
        train: Split,
        val: Split | None = None,
        on_step: Callable[[Step], None] = _nothing,
        *,
        same_order: bool = False,
    ) -> None:
        self.model = model
        self.step = 0
        self.factor = 1.0
        self.stop = False
        self._train = train
        self._val = val
        self._on_step = on_step
        optimizer = model.spec.train.optimizer
        self._blocks = [
            block
            for name, w in model.parameters.items()
            for block in _blocks(name, w, optimizer.slots(w))
        ]
        seed = model.spec.model.seed
        self._order = np.random.default_rng([seed, _SHUFFLE])
        self._rng = np.random.default_rng([seed, _DROPOUT]) if same_order else self._order
        self._began = time.perf_counter()

    @property
    def epoch_steps(self) -> int:
        """Updates in one epoch."""
        return math.ceil(len(self._train.captions) / self.model.spec.train.batch)

    @property
    def steps(self) -> int:
        """Updates in the whole run."""
        return self.epoch_steps * self.model.spec.train.epochs

    def epochs(self) -> Iterator[Epoch]:
        """Train, and yield a row after each epoch; the last may be a broken one."""
        for number in range(1, self.model.spec.train.epochs + 1):
            yield self._epoch(number)
            if self.stop:
                return

    def update(self, captions: Ints, features: Array) -> float:
        """One update on a batch; returns its loss before the update."""
        table = self.model.spec.train
        at = Progress(self.step, self.steps, self.epoch_steps)
        self.factor = table.schedule.factor(at)
        loss, gradients = self.model.loss_and_gradients(features, captions, self._rng)
        if not math.isfinite(loss):
            raise DataError(
                f"the loss is {loss} at update {self.step + 1}: training has diverged; "
                "try a smaller train.optimizer.learning_rate"
            )
        self.step += 1
        shares = pieces(len(self._blocks), UPDATE_SIZE)
        together([partial(self._apply, gradients, self._blocks[share]) for share in shares])
        return loss

    def _apply(self, gradients: Mapping[str, Array], blocks: Sequence[_Block]) -> None:
        update = self.model.spec.train.optimizer.update
        for b in blocks:
            update(b.w, gradients[b.name][b.rows], b.slots, self.step, self.factor)

    def _epoch(self, number: int) -> Epoch:
        split, batch = self._train, self.model.spec.train.batch
        order = self._order.permutation(len(split.captions))
        loss_sum = seconds = 0.0
        tokens = captions = 0
        batches = [order[i : i + batch] for i in range(0, len(order), batch)]
        began = time.perf_counter()
        for words, features in split.batches(batches, self.model.dtype):
            loss = self.update(words, features)
            took = time.perf_counter() - began
            count = int(np.count_nonzero(words[:, 1:] != self.model.vocabulary.null))
            loss_sum += loss * len(words)
            tokens += count
            captions += len(words)
            seconds += took
            self._on_step(Step(self.step, self.steps, loss, count, len(words), took))
            if self.stop:
                break
            began = time.perf_counter()
        train_nats = loss_sum / max(tokens, 1)
        val = None if self._val is None or self.stop else evaluate(self.model, self._val)
        return Epoch(
            epoch=number,
            step=self.step,
            seconds=time.perf_counter() - self._began,
            learning_rate_factor=self.factor,
            train_loss=loss_sum / captions,
            train_nats=train_nats,
            train_perplexity=_exp(train_nats),
            val_nats=val,
            val_perplexity=None if val is None else _exp(val),
            tokens_per_second=tokens / seconds,
        )


@attrs.frozen(eq=False)
class _Block:
    """Rows of one parameter, with the optimizer's slots for them: views that updates go through."""

    name: str
    rows: slice
    w: Array
    slots: Slots


def _blocks(name: str, w: Array, slots: Slots) -> Iterator[_Block]:
    """All of one parameter; updates are elementwise, so it may be cut anywhere."""
    rows = max(1, UPDATE_SIZE * len(w) // max(w.size, 1))
    for i in range(0, len(w), rows):
        part = slice(i, i + rows)
        yield _Block(name, part, w[part], map_arrays(operator.itemgetter(part), slots))


def evaluate(model: Captioner, split: Split) -> float:
    """Negative log likelihood per token of a split's captions, in nats."""
    total, tokens = 0.0, 0
    # Rows of like length share a batch, so that no step is run for a few rows alone.
    lengths = np.count_nonzero(split.captions != model.vocabulary.null, axis=1)
    order = np.argsort(lengths, kind="stable")
    batches = [order[i : i + EVAL_BATCH] for i in range(0, len(order), EVAL_BATCH)]
    for captions, features in split.batches(batches, model.dtype):
        nats, count = model.nats(features, captions)
        total += nats
        tokens += count
    return total / max(tokens, 1)


@attrs.frozen
class Run:
    """A finished run.

    Attributes:
        folder: where it is; `last.h5` is its model, `history.csv` its history, `spec.toml` its spec.
        model: trained.
        history: a row for each epoch.
        interrupted: whether it was stopped before its time.
    """

    folder: Path
    model: Captioner
    history: Sequence[Epoch]
    interrupted: bool = False


def train(
    spec: str | Path | Spec,
    data: str | Path | Dataset | None = None,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    on_start: Callable[[Trainer, Path], None] | None = None,
    on_step: Callable[[Step], None] = _nothing,
    on_epoch: Callable[[Epoch], None] = _nothing,
) -> Run:
    """Train the network of a spec, and keep what came of it in a folder.

    Ctrl-C stops it after the update under way; what has been learnt is saved.

    Args:
        spec: a file, or a spec in memory.
        data: a data folder; the spec's `data.path` if left open.
        out: the run's folder, which must not hold a run yet; `runs/NAME` if left open, with a number
            behind it if there is one already.
        overrides: `path=value` texts that go over a file's values.
        on_start: called with the trainer and the folder before the first update.
        on_step: called after each update.
        on_epoch: called after each epoch.

    Raises:
        SpecError: the spec has mistakes, or does not fit the data.
        DataError: the data folder has; or training diverged.
        CheckpointError: the folder holds a run already, or cannot be written.
    """
    name = "run" if isinstance(spec, Spec) else Path(spec).stem
    spec = as_spec(spec, overrides)
    data = data or spec.data.path
    if data is None:
        raise DataError("training wants data: name a folder with data.path in the spec, or --data")
    if isinstance(data, str | Path):
        spec = attrs.evolve(spec, data=attrs.evolve(spec.data, path=str(data)))
        with open_data(data, raw=spec.data.raw) as dataset:
            return _train(spec, dataset, name, out, on_start, on_step, on_epoch)
    return _train(spec, data, name, out, on_start, on_step, on_epoch)


def _train(
    spec: Spec,
    dataset: Dataset,
    name: str,
    out: str | Path | None,
    on_start: Callable[[Trainer, Path], None] | None,
    on_step: Callable[[Step], None],
    on_epoch: Callable[[Epoch], None],
) -> Run:
    dataset = tokenized(spec, dataset)
    model = assemble(spec, sizes_of(spec, dataset))
    val = dataset.splits.get("val")
    trainer = Trainer(model, dataset.split("train"), val, on_step)
    folder = _claim(Path(out)) if out is not None else _claim_free(Path("runs") / name)
    write_text_whole(folder / "spec.toml", write_spec(model.spec))
    history: list[Epoch] = []
    if on_start:
        on_start(trainer, folder)
    with _stopping_on_interrupt(trainer):
        for epoch in trainer.epochs():
            history.append(epoch)
            _save(model, history, folder)
            on_epoch(epoch)
    return Run(folder, model, history, interrupted=trainer.stop)


@contextmanager
def _stopping_on_interrupt(trainer: Trainer) -> Iterator[None]:
    """Ctrl-C asks the trainer to stop, so that no update is left half done; a second one breaks off."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        trainer.stop = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _save(model: Captioner, history: Sequence[Epoch], folder: Path) -> None:
    save_model(model, folder / "last.h5")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in attrs.fields(Epoch))
    writer.writerows(attrs.astuple(row) for row in history)
    write_text_whole(folder / "history.csv", text.getvalue())


def _claim(folder: Path) -> Path:
    """Make the folder, which must not hold a run."""
    if (folder / "spec.toml").exists() or (folder / "last.h5").exists():
        raise CheckpointError(f"{folder} holds a run already; choose another folder, or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise CheckpointError(f"cannot make the folder {folder}: {e.strerror}") from e
    return folder


def _claim_free(folder: Path) -> Path:
    """Make the first of `folder`, `folder-2`, `folder-3`, ... that is not there yet."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return _claim(free)


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf
