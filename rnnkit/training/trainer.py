"""Updates over shuffled captions, in an order and with a dropout that follow from the seed alone."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs
import numpy as np

from rnnkit.captioning.evaluation import guessing_nats, nats_per_token, perplexity
from rnnkit.data import Split
from rnnkit.kinds import Array, Ints
from rnnkit.network.model import Captioner
from rnnkit.numerics import clip_factor
from rnnkit.parallel import ALONE, Ranks
from rnnkit.registry.labels import label
from rnnkit.spec import Problem
from rnnkit.system.process import threads
from rnnkit.training.divergence import diverged
from rnnkit.training.history import History, Judged, Record, Step, Tally, Update
from rnnkit.training.learner import Learner
from rnnkit.training.order import images_together, shuffled
from rnnkit.training.place import Place, Scored, check_same_run, digest
from rnnkit.training.self_critical import Batch, SelfCritical, rate_of
from rnnkit.training.sharing import share
from rnnkit.training.stages import Stage, Stages

EVERY: Final = 10
"""Updates in a row of `updates.csv`; the gradient's norm, which costs a pass over it, is measured once."""

LIKELIHOOD: Final = "softmax-cross-entropy(smoothing=0.0)"
"""The loss that is nats; others cannot be compared with a guess."""

LOST: Final = 1.1
"""A network that has seen nothing guesses among all words nearly alike; one so much worse has lost its way."""

_SHUFFLE: Final = 1
"""Second word of a training generator's seed: its numbers must not repeat those of initial values."""

_DROPOUT: Final = 2


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
        score: Callable[[Captioner], Scored] | None = None,
        ranks: Ranks = ALONE,
        from_model: str | None = None,
    ) -> None:
        """Start at the first update.

        Args:
            model: to be trained.
            train: what to learn.
            val: what to evaluate on.
            on_step: called after each update.
            score: a model's captions by the spec's metric, if that is not nats; called by all ranks.
            ranks: that train together, from the first one's parameters.
            from_model: where these were taken from, for the record.

        Raises:
            SpecError: the schedule or the reward cannot be had as the spec says.
        """
        self._train = train
        self._ranks = ranks
        self._stages = Stages.of(model.spec.train, len(train.captions))
        self._learner = Learner(model, self.epoch, ranks)
        self.stop = False
        self.guess = guessing_nats(train, val or train, model.vocabulary)
        self._val = val
        self._on_step = on_step
        self._score = score
        table = model.spec.train
        if table.schedule.by_metric and val is None:
            text = "this schedule goes by the metric on val, and the data has no val split"
            raise model.spec.origin.error([Problem(("train", "schedule"), text)])
        self._critic = SelfCritical.of(model.spec, model.vocabulary, train)
        self._place = Place(
            captions=digest(train),
            batch=table.batch,
            shuffle=min(table.shuffle or images_together(train.features), train.images),
            from_model=from_model,
            reward_batch=self._stages.all[-1].batch if table.reward else 0,
            reward_begin=self._stages.rewarded or 0,
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
        """Updates in the first epoch."""
        return self._stages.all[0].epoch_steps

    @property
    def steps(self) -> int:
        """Updates in the whole run."""
        return self._stages.steps

    def epoch(self, step: int) -> int:
        """The epoch of an update, from 1."""
        return self._stages.done(step).after(step - 1)[0] + 1

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
            cuts=threads().cuts,
            ranks=self._ranks.size,
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
        shuffle = self.model.spec.train.shuffle
        check_same_run(place, self._place, shuffle, self._train.images)
        self._learner.go_to(place.step, place.begun, place.averaged, slots, averages)
        self._place = attrs.evolve(
            place,
            reward_batch=self._place.reward_batch,
            reward_begin=self._place.reward_begin,
        )
        self._resumed = time.perf_counter()

    def records(self) -> Iterator[Record]:
        """Train to the end, or until `stop` is set, and yield each evaluation."""
        while not self.stopped():
            if self._due:
                yield self._record()
            elif self.finished:
                return
            else:
                self.look_before_reward()
                self._train_on()

    def look_before_reward(self) -> bool:
        """Score the captions that a reward is to make better, if that is what comes next, and has not been done.

        Returns:
            Whether the model is the best so far, as it is.
        """
        begins = self._critic is not None and self.step == self._place.reward_begin
        if not begins or self._place.before_reward is not None or self._score is None:
            return False
        before, best = self._score(self.judged), self._place.best
        better = best is None
        self._place = attrs.evolve(
            self._place, before_reward=before, best=before.value if better else best
        )
        return better

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
        if record.reward is not None:  # captions get better while nats get worse
            return []
        likelihood = label(self.model.spec.train.loss) == LIKELIHOOD
        own = [record.train_nats] if likelihood else []
        return own if record.val_nats is None else [*own, record.val_nats]

    def stopped(self) -> bool:
        """Whether any rank is to stop; asked by all."""
        # A signal may set it at any moment, and nothing takes it back.
        if self._ranks.any(self.stop):
            self.stop = True
            return True
        return False

    def slots(self) -> dict[str, dict[str, Array]]:
        """Parameter -> slot -> what the optimizer remembers of it; all ranks ask, and the first one is told."""
        return self._learner.descent.slots()

    def update(self, captions: Ints, features: Array, of: int | None = None) -> Step:
        """One update by the loss on a batch (captions (N, T), features (N, F)), or on this rank's rows of a batch of `of`.

        Raises:
            Diverged: a number of it is not finite.
        """
        places = np.arange(len(captions))
        return self._update(Batch(captions, features, places, places, of or len(captions)))

    def _update(self, batch: Batch, critic: SelfCritical | None = None) -> Step:
        """One update on this rank's share of a batch, by the loss or by a reward."""
        began = time.perf_counter()
        table, number = self.model.spec.train, self.step + 1
        measured = table.clip is not None or number % EVERY == 0
        self._learner.begin(number)
        with np.errstate(all="ignore"):  # a divergence is told once, below
            loss, judged = self._find(batch, critic)
            square = self._learner.descent.square() if measured else 0.0
        tokens = np.count_nonzero(batch.captions[:, 1:] != self.model.vocabulary.null)
        sums = np.array([loss, tokens, len(batch.captions), square, *attrs.astuple(judged)])
        self._ranks.sum(sums)
        loss, read, count, square, drawn, worth, words, nats = sums.tolist()
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
            tokens=round(read),
            captions=round(count),
            seconds=time.perf_counter() - began,
            learning_rate_factor=factor,
            gradient_norm=norm,
            judged=Judged(round(drawn), worth, round(words), nats),
        )
        self._count(step)
        return step

    def _find(self, batch: Batch, critic: SelfCritical | None) -> tuple[float, Judged]:
        """Find the loss of the rows at hand as a part of their batch's, and the gradient; and what was judged."""
        descent, wrt = self._learner.descent, self._learner.wrt
        if not len(batch.captions):  # there are more ranks than rows
            descent.taken()
            return 0.0, Judged()
        words = [self.model.spec.model.seed, _DROPOUT, self.step + 1]
        if self._ranks.rank:  # no two ranks drop out the same
            words.append(self._ranks.rank)
        rng, judged = np.random.default_rng(words), Judged()
        descent.looked_up(batch.captions)
        if critic is None:
            loss, _ = self.model.loss_and_gradients(
                batch.features, batch.captions, rng, batch.of, descent.take, wrt=wrt
            )
        else:
            lots, judged = critic.lots(self.model, batch, self.step + 1)
            for lot in lots:
                descent.looked_up(lot.captions)
            drop = rng if critic.table.drop else None
            (total, _), _ = self.model.evaluate_lots(lots, drop, descent.take, wrt=wrt)
            loss = float(total) / batch.of
        descent.taken()
        return loss, judged

    def _factor(self, number: int) -> float:
        """On the optimizer's learning rate at an update: the schedule's, and that of another learning rate."""
        stage, rate = self._stages.done(number), rate_of(self.model.spec)
        own = None if stage.reward is None else stage.reward.learning_rate
        factor = stage.factor(number - 1, self._metric(stage) if stage.schedule.by_metric else ())
        return factor * (1.0 if own is None or rate is None else own / rate)

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
                reward=tally.judged.mean_reward,
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
        stage = self._stages.done(self.step)
        at_one = stage.due(self.step, self.model.spec.train.evaluate)
        return at_one and self._place.since_record.captions > 0

    def _train_on(self) -> None:
        """Updates up to the next evaluation, at most to the end of the epoch."""
        split, stage = self._train, self._stages.at(self.step)
        epoch, done = stage.after(self.step)
        rng = np.random.default_rng([self.model.spec.model.seed, _SHUFFLE, epoch])
        order = shuffled(split.image_idxs, split.images, self._place.shuffle or split.images, rng)
        batches = [
            order[i : i + stage.batch] for i in range(done * stage.batch, len(order), stage.batch)
        ]
        places, ahead = itertools.tee(map(self._mine, batches))
        mine = (rows[own] for rows, own in zip(batches, ahead, strict=True))
        critic = None if stage.reward is None else self._critic
        for rows, own, (captions, features) in zip(
            batches, places, split.batches(mine, self.model.dtype), strict=True
        ):
            if critic is None:
                step = self.update(captions, features, len(rows))
            else:
                images = split.image_idxs[rows[own]]
                step = self._update(Batch(captions, features, images, own, len(rows)), critic)
            self._on_step(step)
            if self.stopped() or self._due:
                return

    def _mine(self, rows: Ints) -> Ints:
        """The places of this rank's rows in a batch."""
        if self._ranks.size == 1:
            return np.arange(len(rows))
        lengths = np.count_nonzero(self._train.captions[rows] != self.model.vocabulary.null, axis=1)
        return share(lengths, self._ranks.rank, self._ranks.size)

    def _record(self) -> Record:
        table, sums = self.model.spec.train, self._place.since_record
        train_nats = sums.loss / max(sums.tokens, 1)
        judged = self.judged
        val_nats = None if self._val is None else nats_per_token(judged, self._val, self._ranks)
        value, scored = val_nats, None
        if table.metric != "nats" and self._score is not None:
            with np.errstate(all="ignore"):  # what diverged is told by its loss
                scored = self._score(judged)
            value = scored.value
        place = self.place
        record = Record(
            epoch=self.epoch(self.step),
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
            val_words=None if scored is None else scored.words,
            reward=sums.judged.mean_reward,
            drawn_words=sums.judged.mean_words,
            drawn_entropy=sums.judged.entropy,
        )
        better = self._better(record)
        record = attrs.evolve(record, best=better)
        self._place = attrs.evolve(
            self._place,
            since_record=Tally(),
            best=value if better else self._place.best,
            waited=0 if better or value is None else self._place.waited + 1,
            history=attrs.evolve(place.history, records=(*place.history.records, record)),
        )
        return record

    def _metric(self, stage: Stage) -> tuple[float, ...]:
        """The metric at the evaluations of a stage, turned so that smaller is better."""
        sign = 1.0 if self.model.spec.train.metric == "nats" else -1.0
        return tuple(
            sign * record.val_metric
            for record in self.history.records[self._place.judged_since :]
            if record.step > stage.begin and record.val_metric is not None
        )

    def _better(self, record: Record) -> bool:
        """Whether an evaluation is the best so far; never one that shows nothing learnt."""
        value, best = record.val_metric, self._place.best
        if value is None or self.learns_nothing(record):
            return False
        if self.model.spec.train.metric == "nats":
            return best is None or value < best
        return value > (best or 0.0)
