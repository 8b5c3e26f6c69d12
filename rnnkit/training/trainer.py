"""Updates over shuffled captions, in an order and with a dropout that follow from the seed alone."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs
import numpy as np

from rnnkit.captioning.evaluation import guessing_nats, nats_per_token, perplexity
from rnnkit.data import Split
from rnnkit.errors import CheckpointError
from rnnkit.kinds import Array, Ints, Progress
from rnnkit.network.model import Captioner
from rnnkit.numerics import clip_factor
from rnnkit.parallel import ALONE, Ranks
from rnnkit.registry.labels import label
from rnnkit.registry.returned import finite
from rnnkit.spec import Problem
from rnnkit.training.divergence import diverged
from rnnkit.training.history import History, Record, Step, Tally, Update
from rnnkit.training.learner import Learner
from rnnkit.training.order import images_together, shuffled
from rnnkit.training.sharing import share

EVERY: Final = 10
"""Updates in a row of `updates.csv`; the gradient's norm, which costs a pass over it, is measured once."""

LIKELIHOOD: Final = "softmax-cross-entropy(smoothing=0.0)"
"""The loss that is nats; others cannot be compared with a guess."""

LOST: Final = 1.1
"""A network that has seen nothing guesses among all words nearly alike; one so much worse has lost its way."""

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
        steps: updates in the whole run.
        seconds: since the run began.
        captions: digest of the captions trained on, with their order.
        batch: N.
        shuffle: images whose captions are shuffled together; 0 is all.
        since_record: sums since the last evaluation.
        since_update: sums since the last row of `updates.csv`.
        best: the best value of the metric so far.
        waited: evaluations since then.
        metric: its values so far, turned so that smaller is better.
        begun: parameter -> updates done before it began to learn, of those that learn and did not from the first one.
        averaged: updates done before averaging of the parameters began; None if they are not averaged.
        from_model: the model that its first parameters were taken from; None if they were initialized.
        history: all rows so far.
    """

    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    captions: int = 0
    batch: int = 0
    shuffle: int = 0
    since_record: Tally = Tally()
    since_update: Tally = Tally()
    best: float | None = None
    waited: int = 0
    metric: tuple[float, ...] = ()
    begun: Mapping[str, int] = attrs.field(factory=dict)
    averaged: int | None = None
    from_model: str | None = None
    history: History = History()


def _nothing(_: object) -> None:
    pass


class Trainer:
    """Trains a model on a split; of several ranks, each on its rows of every batch, to the same parameters.

    Attributes:
        stop: set it, from a callback or a signal handler, to end after the update under way; all ranks end
            where one is to.
        guess: nats per token of val, or without it of train, if words are guessed by their frequency in train.
    """

    def __init__(
        self,
        model: Captioner,
        train: Split,
        val: Split | None = None,
        on_step: Callable[[Step], None] = _nothing,
        score: Callable[[Captioner], float] | None = None,
        ranks: Ranks = ALONE,
        from_model: str | None = None,
    ) -> None:
        """Start at the first update.

        Args:
            model: to be trained.
            train: what to learn.
            val: what to evaluate on.
            on_step: called after each update.
            score: the value of the spec's metric for a model, if that is not nats; called by all ranks.
            ranks: that train together, from the first one's parameters.
            from_model: where these were taken from, for the record.
        """
        self._train = train
        self._ranks = ranks
        self._epoch_steps = math.ceil(len(train.captions) / model.spec.train.batch)
        self._learner = Learner(model, self._epoch_steps, ranks)
        self.stop = False
        self.guess = guessing_nats(train, val or train, model.vocabulary)
        self._val = val
        self._on_step = on_step
        self._score = score
        table = model.spec.train
        if table.schedule.by_metric and val is None:
            text = "this schedule goes by the metric on val, and the data has no val split"
            raise model.spec.origin.error([Problem(("train", "schedule"), text)])
        self._place = Place(
            captions=_digest(train),
            batch=table.batch,
            shuffle=min(table.shuffle or images_together(train.features), train.images),
            from_model=from_model,
        )
        self._norm: tuple[float, int] | None = None  # the last that was measured, and its update
        self._resumed = time.perf_counter()

    @property
    def model(self) -> Captioner:
        """Whose parameters are updated in place: the one given, or of several ranks one like it."""
        return self._learner.model

    @property
    def judged(self) -> Captioner:
        """What evaluations are of: the model with averaged parameters, if the spec wants that."""
        return self._learner.judged

    @property
    def averages(self) -> Mapping[str, Array]:
        """Those of the parameters, by name; nothing unless the spec wants them."""
        average = self._learner.average
        return {} if average is None else average.values

    @property
    def step(self) -> int:
        """Updates done."""
        return self._place.step

    @property
    def epoch_steps(self) -> int:
        """Updates in one epoch."""
        return self._epoch_steps

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
        seconds = self._place.seconds + now - self._resumed
        average = self._learner.average
        return attrs.evolve(
            self._place,
            steps=self.steps,
            seconds=seconds,
            begun=self._learner.begun,
            averaged=None if average is None else average.begun,
        )

    def go_to(
        self,
        place: Place,
        slots: Mapping[str, Mapping[str, Array]],
        averages: Mapping[str, Array],
    ) -> None:
        """Go on from a place, the model having its parameters already, with these values of the slots and averages.

        Raises:
            CheckpointError: the captions, the batch or the optimizer are not those of the place.
        """
        if place.captions != self._place.captions:
            raise CheckpointError(
                "the training captions are not those that the run began with; resume it on the same data"
            )
        if place.batch != self._place.batch:
            raise CheckpointError(
                f"the run began with train.batch = {place.batch}, and cannot continue with {self._place.batch}"
            )
        wanted = self.model.spec.train.shuffle
        if wanted is not None and min(wanted, self._train.images) != (
            place.shuffle or self._train.images
        ):
            raise CheckpointError(
                f"the run began with {_together(place.shuffle)} shuffled together, and cannot continue with "
                f"train.shuffle = {wanted}"
            )
        self._learner.go_to(place.step, place.begun, place.averaged, slots, averages)
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

    def learns_nothing(self, record: Record) -> bool:
        """Whether an evaluation is worse than guessing words by their frequency, in train (if its loss is nats)
        as in val, and that not because the network is young and comes down to it.
        """
        nats = self.comparable(record)
        if any(not math.isfinite(one) for one in nats):
            return True
        if not nats or any(one <= self.guess for one in nats):
            return False
        before = [r.train_loss for r in self.history.records if r.step < record.step]
        lost = LOST * math.log(len(self.model.vocabulary))
        return max(nats) > lost or record.train_loss >= min(before, default=math.inf)

    def comparable(self, record: Record) -> list[float]:
        """What of an evaluation can be compared with `guess`."""
        likelihood = label(self.model.spec.train.loss) == LIKELIHOOD
        own = [record.train_nats] if likelihood else []
        return own if record.val_nats is None else [*own, record.val_nats]

    def stopped(self) -> bool:
        """Whether any rank is to stop; asked by all."""
        self.stop = self._ranks.any(self.stop)
        return self.stop

    def slots(self) -> dict[str, dict[str, Array]]:
        """Parameter -> slot -> what the optimizer remembers of it; all ranks ask, and the first one is told."""
        return self._learner.descent.slots()

    def update(self, captions: Ints, features: Array, of: int | None = None) -> Step:
        """One update on a batch (captions (N, T), features (N, F)), or on this rank's rows of a batch of `of`.

        Raises:
            Diverged: a number of it is not finite.
        """
        began = time.perf_counter()
        table, number = self.model.spec.train, self.step + 1
        measured = table.clip is not None or number % EVERY == 0
        self._learner.begin(number)
        with np.errstate(all="ignore"):  # a divergence is told once, below
            loss, tokens = self._find(captions, features, of or len(captions))
            square = self._learner.descent.square() if measured else 0.0
        sums = np.array([loss, tokens, len(captions), square])
        self._ranks.sum(sums)
        loss, tokens, count, square = sums.tolist()
        norm = math.sqrt(square) if measured else None
        for name, value in (("loss", loss), ("norm of the gradient", norm)):
            if value is not None and not math.isfinite(value):
                before = self._norm and "; the norm of the gradient was {:.3g} at update {}".format(
                    *self._norm
                )
                raise diverged(f"the {name} is {value} at update {number}{before or ''}")
        if norm is not None:
            self._norm = norm, number
        factor = self._factor(number)
        scale = 1.0 if table.clip is None or norm is None else clip_factor(norm, table.clip)
        with np.errstate(all="ignore"):
            self._learner.update(number, factor, scale)
        step = Step(
            number=number,
            steps=self.steps,
            loss=loss,
            tokens=round(tokens),
            captions=round(count),
            seconds=time.perf_counter() - began,
            learning_rate_factor=factor,
            gradient_norm=norm,
        )
        self._count(step)
        return step

    def _find(self, captions: Ints, features: Array, of: int) -> tuple[float, int]:
        """Find the loss of the rows at hand as a part of their batch's, and its gradient; their tokens."""
        descent = self._learner.descent
        if not len(captions):  # there are more ranks than rows
            descent.taken()
            return 0.0, 0
        words = [self.model.spec.model.seed, _DROPOUT, self.step + 1]
        if self._ranks.rank:  # no two ranks drop out the same
            words.append(self._ranks.rank)
        rng = np.random.default_rng(words)
        loss, _ = self.model.loss_and_gradients(
            features, captions, rng, of, descent.take, wrt=self._learner.wrt
        )
        descent.taken()
        return loss, int(np.count_nonzero(captions[:, 1:] != self.model.vocabulary.null))

    def _factor(self, number: int) -> float:
        """The schedule's factor at an update."""
        at = Progress(number - 1, self.steps, self.epoch_steps, self._place.metric)
        schedule = self.model.spec.train.schedule
        return finite(schedule, "factor", schedule.factor(at))

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
        order = shuffled(split.image_idxs, split.images, self._place.shuffle or split.images, rng)
        starts = range(done * batch, len(order), batch)
        mine = (self._mine(order[i : i + batch]) for i in starts)
        for i, (captions, features) in zip(
            starts, split.batches(mine, self.model.dtype), strict=True
        ):
            self._on_step(self.update(captions, features, min(batch, len(order) - i)))
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
        judged = self.judged
        val_nats = None if self._val is None else nats_per_token(judged, self._val, self._ranks)
        value = val_nats
        if table.metric != "nats" and self._score is not None:
            with np.errstate(all="ignore"):  # what diverged is told by its loss
                value = self._score(judged)
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
            best=False,
            tokens_per_second=sums.tokens / sums.seconds,
        )
        better = self._better(record)
        record = attrs.evolve(record, best=better)
        self._place = attrs.evolve(
            self._place,
            since_record=Tally(),
            best=value if better else self._place.best,
            waited=0 if better or value is None else self._place.waited + 1,
            metric=self._place.metric + self._smaller_is_better(value),
            history=attrs.evolve(place.history, records=(*place.history.records, record)),
        )
        return record

    def _smaller_is_better(self, value: float | None) -> tuple[float, ...]:
        if value is None:
            return ()
        return (value if self.model.spec.train.metric == "nats" else -value,)

    def _better(self, record: Record) -> bool:
        """Whether an evaluation is the best so far; never one that shows nothing learnt."""
        value, best = record.val_metric, self._place.best
        if value is None or self.learns_nothing(record):
            return False
        if self.model.spec.train.metric == "nats":
            return best is None or value < best
        return value > (best or 0.0)


def _together(images: int) -> str:
    return f"the captions of {images:,} images" if images else "all captions"


def _digest(train: Split) -> int:
    """Of the captions trained on, with their order."""
    captions, image_idxs = map(np.ascontiguousarray, (train.captions, train.image_idxs))
    return zlib.crc32(image_idxs.data, zlib.crc32(captions.data))
