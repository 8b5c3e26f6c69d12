"""Sentences, each told once, about what shows that a network learns nothing: of its data, and of its evaluations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from rnnkit.captioning.evaluation import monotony
from rnnkit.captioning.images import caption_split
from rnnkit.data import Dataset, doubts
from rnnkit.data.references import read_references
from rnnkit.errors import DataError
from rnnkit.metrics import scores
from rnnkit.spec import Spec
from rnnkit.training.history import Record
from rnnkit.training.trainer import Trainer

SHRUNK: Final = 0.8
"""A reward that is earned by saying less: captions of so much of the words that they had before."""

FOR_LONG: Final = 5
"""Evaluations without a better one, of a run that learns from a reward."""

LOOKED_AT: Final = 32
"""Images of val that are captioned at each evaluation."""


def look_before(
    spec: Spec, dataset: Dataset, in_words: Dataset, tell: Callable[[str], None]
) -> None:
    """Tell what is suspicious about the data that a network is to be trained on.

    Args:
        spec: of the network.
        dataset: in the tokens that it learns.
        in_words: the same in words.
        tell: called with each sentence.

    Raises:
        DataError: nothing is left to learn.
    """
    for doubt in doubts(dataset):
        if doubt.hopeless:
            raise DataError(f"{dataset.folder}: {doubt.text}")
        tell(doubt.text)
    if spec.train.metric == "cider" and "val" in in_words.splits and _worthless(in_words):
        tell(
            "train.metric is cider, but CIDEr is 0 by definition on this val split: it counts the words that "
            "few images share, and here "
            + (
                "there is one image"
                if in_words.splits["val"].images == 1
                else "all images have the same"
            )
            + '; choose the best model by train.metric = "nats"'
        )


def _worthless(dataset: Dataset) -> bool:
    """Whether even people's own captions have a CIDEr of 0."""
    people = dict(enumerate(read_references(dataset, "val").captions))
    return scores({i: own[0] for i, own in people.items()}, people, ["cider"])["cider"] == 0


class Watch:
    """Looks at evaluations, and tells each kind of trouble once."""

    def __init__(self, trainer: Trainer, dataset: Dataset, tell: Callable[[str], None]) -> None:
        """Of a trainer, whose captions are of the dataset in words."""
        self._trainer = trainer
        self._dataset = dataset
        self._tell = tell
        self._told: set[str] = set()

    def look(self, record: Record) -> None:
        """Tell what is new since the evaluation before."""
        for kind, text in self._troubles(record):
            if kind not in self._told:
                self._told.add(kind)
                self._tell(text)

    def _troubles(self, record: Record) -> Iterator[tuple[str, str]]:
        trainer = self._trainer
        if record.reward is not None:
            yield from self._of_reward(record)
        if record.step >= trainer.epoch_steps and trainer.learns_nothing(record):
            nats = next(one for one in trainer.comparable(record) if not one <= trainer.guess)
            yield (
                "guess",
                f"in epoch {record.epoch} the loss per token was {nats:.3g} nats, and guessing words by their "
                f"frequency has {trainer.guess:.3g}: the network learns nothing; try another "
                "train.optimizer.learning_rate, or train.clip",
            )
        if record.val_nats is not None and math.isfinite(record.val_nats):
            with np.errstate(all="ignore"):  # of a network that diverges
                captions = caption_split(trainer.judged, self._dataset, "val", LOOKED_AT)
            text = monotony([one.caption for one in captions])
            if text:
                yield "monotony", f"at update {record.step:,} {text}"

    def _of_reward(self, record: Record) -> Iterator[tuple[str, str]]:
        """What shows that a reward is earned at the cost of captions."""
        place, table = self._trainer.place, self._trainer.model.spec.train
        milder = "try a smaller train.reward.learning_rate, or more of train.reward.cross_entropy"
        before, words = place.before_reward, record.val_words
        if before is not None and words is not None and words < SHRUNK * before.words:
            yield (
                "shrunk",
                f"at update {record.step:,} the captions of val have {words:.1f} words, and they had {before.words:.1f} "
                f"before rewards: what they leave out costs them nothing; {milder}",
            )
        if place.waited >= FOR_LONG and record.val_metric is not None and place.best is not None:
            ending = "" if table.patience else f"; train.patience = {FOR_LONG} ends such runs"
            yield (
                "fallen",
                f"at update {record.step:,} the {table.metric} of val is {record.val_metric:.3f}, and none of the last "
                f"{place.waited} evaluations was better than {place.best:.3f}: {milder}{ending}",
            )
