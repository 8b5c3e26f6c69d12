"""A run that begins with the parameters of another model."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rnnkit.captioning.images import check_encoder
from rnnkit.data import Dataset
from rnnkit.network.checkpoint import load_model
from rnnkit.network.model import Captioner
from rnnkit.network.transfer import Taken, take_over
from rnnkit.system.files import write_text_whole

TAKEN: Final = "taken.csv"


def take_from(
    model: Captioner,
    start: str | Path | Captioner,
    dataset: Dataset,
    tell: Callable[[str], None],
) -> tuple[Taken, ...]:
    """Put the parameters of the model to start from in the place of a model's own, wherever it has them.

    Args:
        model: whose arrays are changed in place.
        start: a model, its file or the folder of its run.
        dataset: that is to be learnt.
        tell: called with a sentence if nobody knows whether the image features are made alike.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
        DataError: its image features were made in another way than those of the data.
    """
    other = start if isinstance(start, Captioner) else load_model(start)
    check_encoder(other, dataset)
    if (other.pipeline is None or dataset.pipeline is None) and (
        other.feature_width == dataset.feature_width
    ):
        who = "the model to start from" if other.pipeline is None else str(dataset.folder)
        tell(
            f"{who} does not say which encoder made its image features; they are taken to be made as those of "
            f"{dataset.folder if other.pipeline is None else 'the model'}"
        )
    return take_over(model, other)


def named(start: str | Path | Captioner) -> str:
    """The model to start from, for the record."""
    return "a model in memory" if isinstance(start, Captioner) else str(Path(start).absolute())


def write_taken(rows: Sequence[Taken], folder: Path) -> None:
    """Write what was taken over into the folder of a run.

    Raises:
        CheckpointError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["parameter", "shape", "elements", "why"])
    writer.writerows([r.name, "x".join(map(str, r.shape)), r.elements, r.why] for r in rows)
    write_text_whole(folder / TAKEN, text.getvalue())
