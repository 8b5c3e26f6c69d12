"""Captions for the images of a split, beside what people wrote of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.data import Dataset, Vocabulary, characters_of
from rnnkit.errors import DataError
from rnnkit.kinds import Decoder
from rnnkit.writer import Writer

BATCH: Final = 128


@attrs.frozen
class Captioned:
    """One image with its caption.

    Attributes:
        image: row of its features.
        picture: its path, address or name, if the data folder says.
        caption: what the network says.
        log_prob: natural logarithm of the probability it gives to that.
        others: further captions that its decoder found, best first, each with the same.
        truth: what people said.
    """

    image: int
    picture: str | None
    caption: str
    log_prob: float
    others: list[tuple[str, float]]
    truth: list[str]


def caption_split(
    model: Writer[Any],
    dataset: Dataset,
    split: str = "val",
    limit: int | None = None,
    decoder: Decoder | None = None,
) -> list[Captioned]:
    """Caption the first `limit` images of a split, or all.

    Raises:
        DataError: there is no such split, or its features or words are not those of the model.
    """
    check_fits(model, dataset)
    return list(_captioned(model, dataset, split, limit, decoder))


def check_fits(model: Writer[Any], dataset: Dataset) -> None:
    """Make sure that a model was made for such data.

    Raises:
        DataError: the features or the words are not those of the model.
    """
    if dataset.feature_width != model.feature_width:
        raise DataError(
            f"{dataset.folder} has features of width {dataset.feature_width}, and the model was made for "
            f"{model.feature_width}"
        )
    vocabulary = dataset.vocabulary
    if model.vocabulary.by_character:
        vocabulary = characters_of(vocabulary)
    if vocabulary != model.vocabulary:
        raise DataError(
            f"{dataset.folder} has another vocabulary ({_size(vocabulary)}) than the model "
            f"({_size(model.vocabulary)}); caption the data it was trained on"
        )


def _size(vocabulary: Vocabulary) -> str:
    return f"{len(vocabulary)} {'characters' if vocabulary.by_character else 'words'}"


def _captioned(
    model: Writer[Any], dataset: Dataset, name: str, limit: int | None, decoder: Decoder | None
) -> Iterator[Captioned]:
    split = dataset.split(name)
    images = min(split.images, limit or split.images)
    rng = np.random.default_rng(model.spec.model.seed)
    batches = [np.arange(i, min(i + BATCH, images)) for i in range(0, images, BATCH)]
    features = split.features.batches(batches, model.dtype)
    for batch, of_batch in zip(batches, features, strict=True):
        decoded = model.decode(of_batch, decoder, rng)
        for image, tokens, log_probs in zip(
            batch.tolist(), decoded.tokens, decoded.log_probs, strict=True
        ):
            found = np.count_nonzero(log_probs[1:] > -np.inf)
            yield Captioned(
                image=image,
                picture=split.pictures[image] if split.pictures else None,
                caption=model.vocabulary.decode(tokens[0]),
                log_prob=float(log_probs[0]),
                others=[
                    (model.vocabulary.decode(row), float(log_prob))
                    for row, log_prob in zip(tokens[1 : 1 + found], log_probs[1:], strict=False)
                ],
                truth=[dataset.vocabulary.decode(row) for row in split.captions_of(image)],
            )
