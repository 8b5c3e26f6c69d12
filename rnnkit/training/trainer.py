"""Updates over shuffled captions, in an order and with a dropout that follow from the seed alone."""

from __future__ import annotations

import math
import operator
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import attrs
import numpy as np

from rnnkit.data import Split
from rnnkit.errors import CheckpointError, DataError
from rnnkit.evaluation import nats_per_token, perplexity
from rnnkit.kinds import Array, Ints, Progress, Slots, map_arrays, named_arrays
from rnnkit.model import Captioner
from rnnkit.parallel import ALONE, Ranks
from rnnkit.process import pieces, together
from rnnkit.training.history import History, Record, Step, Tally, Update
from rnnkit.training.sharing import Found, Reduction, share

UPDATE_SIZE: Final = 1 << 17
"""Elements that are updated at once: what the optimizer computes on the way stays in the processor's cache."""

EVERY: Final = 10
"""Updates in a row of `updates.csv`; the gradient's norm, which costs a pass over it, is measured once."""

_SHUFFLE: Final = 1
"""Second word of a training generator's seed: its numbers must not repeat those of initial values."""

_DROPOUT: Final = 2


@attrs.frozen
class Place:
    """Where a run is: with parameters and slots, all that going on takes.

    Random numbers are drawn from generators seeded with the number of the epoch or update, so they need no
    place of their own.

    Attributes:
        step: updates done.
        seconds: since the run began.
        captions: digest of the captions trained on, with their order.
        batch: N.
        since_record: sums since the last evaluation.
        since_update: sums since the last row of `updates.csv`.
        best: the best value of the metric so far.
        waited: evaluations since then.
        history: all rows so far.
    """

    step: int = 0
    seconds: float = 0.0
    captions: int = 0
    batch: int = 0
    since_record: Tally = Tally()
    since_update: Tally = Tally()
    best: float | None = None
    waited: int = 0
    history: History = History()


def _nothing(_: object) -> None:
    pass


class Trainer:
    """Trains a model on a split; of several ranks, each on its rows of every batch, to the same parameters.

    Attributes:
        model: whose parameters are updated in place.
        stop: set it, from a callback or a signal handler, to end after the update under way; all ranks end
            where one is to.
        slots: what the optimizer remembers, for each parameter's name.
    """

    def __init__(
        self,
        model: Captioner,
        train: Split,
        val: Split | None = None,
        on_step: Callable[[Step], None] = _nothing,
        score: Callable[[], float] | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Start at the first update.

        Args:
            model: to be trained.
            train: what to learn.
            val: what to evaluate on.
            on_step: called after each update.
            score: the value of the spec's metric for the model as it is, if that is not nats.
            ranks: that train together, from the first one's parameters.
        """
        self.model = model
        self.stop = False
        optimizer = model.spec.train.optimizer
        self.slots = {name: optimizer.slots(w) for name, w in model.parameters.items()}
        self._train = train
        self._val = val
        self._on_step = on_step
        self._score = score
        self._ranks = ranks
        # The same seed need not draw the same bits with another number of threads, or on another machine.
        for w in model.parameters.values():
            w[...] = ranks.broadcast(w)
        self._reduce = Reduction(ranks, model.parameters, model.dtype)
        digest = zlib.crc32(train.image_idxs.tobytes(), zlib.crc32(train.captions.tobytes()))
        self._place = Place(captions=digest, batch=model.spec.train.batch)
        self._blocks = self._cut()
        self._resumed = time.perf_counter()

    @property
    def step(self) -> int:
        """Updates done."""
        return self._place.step

    @property
    def epoch_steps(self) -> int:
        """Updates in one epoch."""
        return math.ceil(len(self._train.captions) / self.model.spec.train.batch)

    @property
    def steps(self) -> int:
        """Updates in the whole run."""
        return self.epoch_steps * self.model.spec.train.epochs

    @property
    def history(self) -> History:
        """All rows so far."""
        return self._place.history

    @property
    def finished(self) -> bool:
        """Whether all updates are done, or the metric has not become better for too long."""
        patience = self.model.spec.train.patience
        impatient = patience is not None and self._place.waited >= patience
        return not self._due and (self.step >= self.steps or impatient)

    @property
    def place(self) -> Place:
        """Where the run is."""
        now = time.perf_counter()
        return attrs.evolve(self._place, seconds=self._place.seconds + now - self._resumed)

    def go_to(self, place: Place, slots: Mapping[str, Mapping[str, Array]]) -> None:
        """Go on from a place, the model having its parameters already, with these values of the slots.

        Raises:
            CheckpointError: the captions, the batch or the optimizer are not those of the place.
        """
        if place.captions != self._place.captions:
            raise CheckpointError(
                "the training captions are not those that the run was begun with; resume it on the same data"
            )
        if place.batch != self._place.batch:
            raise CheckpointError(
                f"the run was begun with train.batch = {place.batch}, and goes on with the same only, not "
                f"with {self._place.batch}"
            )
        for name, own in self.slots.items():
            kept = slots.get(name, {})
            if {key: (a.shape, a.dtype) for key, a in named_arrays(own)} != {
                key: (a.shape, a.dtype) for key, a in kept.items()
            }:
                raise CheckpointError(
                    f"the optimizer does not remember of {name} what that of the run did; resume it with "
                    "the same optimizer"
                )
            for key, a in named_arrays(own):
                a[...] = kept[key]
        self._place = place
        self._resumed = time.perf_counter()

    def records(self) -> Iterator[Record]:
        """Train to the end, or until `stop` is set, and yield each evaluation."""
        while not self.stopped():
            if self._due:
                yield self._record()
            elif self.finished:
                return
            else:
                self._train_on()

    def stopped(self) -> bool:
        """Whether any rank is to stop; asked by all."""
        self.stop = self._ranks.any(self.stop)
        return self.stop

    def update(self, captions: Ints, features: Array) -> Step:
        """One update on a batch (captions (N, T), features (N, F)), or on this rank's rows of it.

        Raises:
            DataError: training has diverged.
        """
        began = time.perf_counter()
        table, number = self.model.spec.train, self.step + 1
        found = self._reduce(self._find(captions, features))
        gradients, norm = found.gradients, None
        if table.clip is not None or number % EVERY == 0:
            # The first rank's, for the last bit depends on threads, and all are to do the same update.
            norm = self._ranks.broadcast(
                math.sqrt(sum(float(np.vdot(g, g)) for g in gradients.values()))
            )
        for name, value in (("loss", found.loss), ("norm of the gradient", norm)):
            if value is not None and not math.isfinite(value):
                raise DataError(
                    f"the {name} is {value} at update {number}: training has diverged; "
                    "try a smaller train.optimizer.learning_rate, or train.clip"
                )
        factor = self._factor(number)
        scale = 1.0 if table.clip is None or not norm else min(1.0, table.clip / norm)
        shares = pieces(len(self._blocks), UPDATE_SIZE)
        apply = partial(self._apply, gradients, number, factor, scale)
        together([partial(apply, self._blocks[share]) for share in shares])
        step = Step(
            number=number,
            steps=self.steps,
            loss=found.loss,
            tokens=found.tokens,
            captions=found.captions,
            seconds=time.perf_counter() - began,
            learning_rate_factor=factor,
            gradient_norm=norm,
        )
        self._count(step)
        return step

    def _find(self, captions: Ints, features: Array) -> Found:
        """The loss and its gradient, of the rows at hand."""
        if not len(captions):  # there are more ranks than rows
            return Found(0.0, {}, 0, 0)
        words = [self.model.spec.model.seed, _DROPOUT, self.step + 1]
        if self._ranks.rank:  # no two ranks drop out the same
            words.append(self._ranks.rank)
        rng = np.random.default_rng(words)
        loss, gradients = self.model.loss_and_gradients(features, captions, rng)
        tokens = int(np.count_nonzero(captions[:, 1:] != self.model.vocabulary.null))
        return Found(loss, gradients, tokens, len(captions))

    def _apply(
        self,
        gradients: Mapping[str, Array],
        number: int,
        factor: float,
        scale: float,
        blocks: Sequence[_Block],
    ) -> None:
        update = self.model.spec.train.optimizer.update
        for b in blocks:
            g = gradients[b.name][b.rows]
            update(b.w, g if scale == 1.0 else g * g.dtype.type(scale), b.slots, number, factor)

    def _factor(self, number: int) -> float:
        """The schedule's factor at an update."""
        at = Progress(number - 1, self.steps, self.epoch_steps)
        return self.model.spec.train.schedule.factor(at)

    def _count(self, step: Step) -> None:
        """Take an update into the sums, and write the row of the last few if it ends them."""
        before = self._place
        tally = before.since_update.with_step(step)
        updates = before.history.updates
        if step.number % EVERY == 0:
            row = Update(
                step=step.number,
                loss=tally.loss / tally.captions,
                nats=tally.loss / max(tally.tokens, 1),
                learning_rate_factor=step.learning_rate_factor,
                gradient_norm=tally.norms / tally.measured,
                tokens=tally.tokens,
                seconds=self.place.seconds,
            )
            updates, tally = (*updates, row), Tally()
        self._place = attrs.evolve(
            before,
            step=step.number,
            since_record=before.since_record.with_step(step),
            since_update=tally,
            history=attrs.evolve(before.history, updates=updates),
        )

    @property
    def _due(self) -> bool:
        """Whether an evaluation comes next."""
        every = self.model.spec.train.evaluate or self.epoch_steps
        at_one = self.step % every == 0 or self.step >= self.steps
        return at_one and self._place.since_record.captions > 0

    def _train_on(self) -> None:
        """Updates up to the next evaluation, at most to the end of the epoch."""
        split, batch = self._train, self.model.spec.train.batch
        epoch, done = divmod(self.step, self.epoch_steps)
        rng = np.random.default_rng([self.model.spec.model.seed, _SHUFFLE, epoch])
        order = rng.permutation(len(split.captions))
        batches = [order[i : i + batch] for i in range(done * batch, len(order), batch)]
        mine = [self._mine(rows) for rows in batches]
        for captions, features in split.batches(mine, self.model.dtype):
            self._on_step(self.update(captions, features))
            if self.stopped() or self._due:
                return

    def _mine(self, rows: Ints) -> Ints:
        """This rank's rows of a batch."""
        if self._ranks.size == 1:
            return rows
        lengths = np.count_nonzero(self._train.captions[rows] != self.model.vocabulary.null, axis=1)
        return rows[share(lengths, self._ranks.rank, self._ranks.size)]

    def _record(self) -> Record:
        table, sums = self.model.spec.train, self._place.since_record
        train_nats = sums.loss / max(sums.tokens, 1)
        val_nats = None if self._val is None else nats_per_token(self.model, self._val, self._ranks)
        value = val_nats
        if table.metric != "nats" and self._score is not None:
            value = self._ranks.first(self._score)
        best = self._place.best
        better = value is not None and (
            best is None or (value < best if table.metric == "nats" else value > best)
        )
        place = self.place
        record = Record(
            epoch=math.ceil(self.step / self.epoch_steps),
            step=self.step,
            seconds=place.seconds,
            learning_rate_factor=self._factor(self.step),
            train_loss=sums.loss / sums.captions,
            train_nats=train_nats,
            train_perplexity=perplexity(train_nats),
            val_nats=val_nats,
            val_perplexity=None if val_nats is None else perplexity(val_nats),
            val_metric=value,
            best=better,
            tokens_per_second=sums.tokens / sums.seconds,
        )
        self._place = attrs.evolve(
            self._place,
            since_record=Tally(),
            best=value if better else best,
            waited=0 if better or value is None else self._place.waited + 1,
            history=attrs.evolve(place.history, records=(*place.history.records, record)),
        )
        return record

    def _cut(self) -> list[_Block]:
        """All parameters in blocks; updates are elementwise, so they may be cut anywhere."""
        return [
            block
            for name, w in self.model.parameters.items()
            for block in _blocks(name, w, self.slots[name])
        ]


@attrs.frozen(eq=False)
class _Block:
    """Rows of one parameter, with the optimizer's slots for them: views that updates go through."""

    name: str
    rows: slice
    w: Array
    slots: Slots


def _blocks(name: str, w: Array, slots: Slots) -> Iterator[_Block]:
    rows = max(1, UPDATE_SIZE * len(w) // max(w.size, 1))
    for i in range(0, len(w), rows):
        part = slice(i, i + rows)
        yield _Block(name, part, w[part], map_arrays(operator.itemgetter(part), slots))
