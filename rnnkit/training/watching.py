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
