"""What a run tells of itself while it goes on: of single updates, of every few, and of each evaluation."""

from __future__ import annotations

import csv
import io
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from rnnkit.errors import CheckpointError
from rnnkit.system.files import write_text_whole
from rnnkit.system.why import check_ordinary

RECORDS = "history.csv"
UPDATES = "updates.csv"


@attrs.frozen
class Judged:
    """Sums over captions that were drawn and judged by a reward.

    Attributes:
        captions: number of them.
        reward: what they are worth.
        words: that they have, their ends included.
        nats: -log of the probability with which they were drawn.
    """

    captions: int = 0
    reward: float = 0.0
    words: int = 0
    nats: float = 0.0

    def __add__(self, other: Judged) -> Judged:
        return Judged(
            self.captions + other.captions,
            self.reward + other.reward,
            self.words + other.words,
            self.nats + other.nats,
        )

    @property
    def mean_reward(self) -> float | None:
        """What a caption is worth; None of none."""
        return self.reward / self.captions if self.captions else None

    @property
    def mean_words(self) -> float | None:
        """Words of a caption; None of none."""
        return self.words / self.captions if self.captions else None

    @property
    def entropy(self) -> float | None:
        """Of the next word, in nats, estimated by those that were drawn; None of none."""
        return self.nats / self.words if self.words else None


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
        learning_rate_factor: the schedule's.
        gradient_norm: the Euclidean norm of the gradient of all parameters together, before clipping; None
            where it was not measured.
        judged: captions that it drew and learnt from by a reward; `loss` and `tokens` are those of the captions by people.
    """

    number: int
    steps: int
    loss: float
    tokens: int
    captions: int
    seconds: float
    learning_rate_factor: float
    gradient_norm: float | None
    judged: Judged = Judged()


@attrs.frozen
class Update:
    """Means over ten updates: one row of `updates.csv`.

    Attributes:
        step: updates done.
        loss: summed over time and averaged over captions.
        nats: the same per token.
        learning_rate_factor: the schedule's, at the last update.
        gradient_norm: of the gradient of all parameters together, before clipping.
        tokens: trained on.
        seconds: of training since the run began.
        reward: of captions that were drawn; None where the loss alone was learnt from.
    """

    step: int
    loss: float
    nats: float
    learning_rate_factor: float
    gradient_norm: float
    tokens: int
    seconds: float
    reward: float | None = None


@attrs.frozen
class Record:
    """One evaluation: one row of `history.csv`.

    Attributes:
        epoch: the pass over the data that is under way, or done.
        step: updates done.
        seconds: of training and evaluating since the run began.
        learning_rate_factor: the schedule's, at the last update.
        train_loss: mean since the last row, summed over time and averaged over captions.
        train_nats: the same per token, in nats, as training saw it (with dropout, while learning).
        train_perplexity: exp(train_nats).
        val_nats: negative log likelihood per token on val, in nats; None without a val split.
        val_perplexity: exp(val_nats).
        val_metric: the value of the metric that the best model is chosen by.
        best: whether that is the best value so far.
        tokens_per_second: trained on.
        val_words: of the captions of val that the metric is of, on average; None where it needs none.
        reward: mean since the last row of captions that were drawn; None where the loss alone was learnt from.
        drawn_words: words of those, their ends included, on average.
        drawn_entropy: of the next word where they were drawn, in nats.
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
    val_metric: float | None
    best: bool
    tokens_per_second: float
    val_words: float | None = None
    reward: float | None = None
    drawn_words: float | None = None
    drawn_entropy: float | None = None


@attrs.frozen
class History:
    """All rows of a run."""

    records: tuple[Record, ...] = ()
    updates: tuple[Update, ...] = ()


@attrs.frozen
class Tally:
    """Sums over updates.

    Attributes:
        loss: times captions.
        tokens: unmasked positions.
        captions: number of them.
        seconds: spent in updates.
        norms: sum of the gradient norms that were measured, and `measured` their number.
        judged: by a reward.
    """

    loss: float = 0.0
    tokens: int = 0
    captions: int = 0
    seconds: float = 0.0
    norms: float = 0.0
    measured: int = 0
    judged: Judged = Judged()

    def with_step(self, step: Step) -> Tally:
        """These sums with one update more."""
        norm = step.gradient_norm
        return Tally(
            loss=self.loss + step.loss * step.captions,
            tokens=self.tokens + step.tokens,
            captions=self.captions + step.captions,
            seconds=self.seconds + step.seconds,
            norms=self.norms + (norm or 0.0),
            measured=self.measured + (norm is not None),
            judged=self.judged + step.judged,
        )


def write_history(history: History, folder: Path) -> None:
    """Write `history.csv` and `updates.csv`, each whole or not at all.

    Raises:
        CheckpointError: one cannot be written.
    """
    write_text_whole(folder / RECORDS, _as_csv(Record, history.records))
    write_text_whole(folder / UPDATES, _as_csv(Update, history.updates))


def read_history(folder: Path) -> History:
    """The rows of a run's folder; none where a file is not there yet.

    Raises:
        CheckpointError: a file is damaged.
    """
    return History(
        _from_csv(Record, folder / RECORDS),
        _from_csv(Update, folder / UPDATES),
    )


R = TypeVar("R", Record, Update)


def _as_csv(kind: type[R], rows: Sequence[R]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in attrs.fields(kind))
    writer.writerows(attrs.astuple(row) for row in rows)
    return text.getvalue()


def _from_csv(kind: type[R], file: Path) -> tuple[R, ...]:
    if not file.exists():
        return ()
    types_of = typing.get_type_hints(kind)
    try:
        check_ordinary(file)
        with file.open(newline="", encoding="utf-8") as lines:
            return tuple(_row(kind, row, types_of) for row in csv.DictReader(lines))
    except (OSError, ValueError, TypeError, KeyError) as e:
        raise CheckpointError(f"{file}: not a history that rnnkit wrote ({e})") from e


def _row(kind: type[R], cells: Mapping[str, str], types_of: Mapping[str, Any]) -> R:
    values: dict[str, Any] = {name: _value(text, types_of[name]) for name, text in cells.items()}
    return kind(**values)


def _value(text: str, kind: Any) -> object:
    """A cell of a CSV file as a value of this type: bool, int, float, or a float that may be left out."""
    if isinstance(kind, types.UnionType):
        return None if text == "" else float(text)
    if kind is bool:
        return {"True": True, "False": False}[text]
    value: object = kind(text)
    return value
