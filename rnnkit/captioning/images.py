"""Captions for the images of a split, beside what people wrote of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.data import Dataset, Vocabulary, characters_of
from rnnkit.data.ordering import same_words
from rnnkit.data.references import References, read_references
from rnnkit.data.vocabulary import PTB, WRITTEN
from rnnkit.errors import DataError
from rnnkit.kinds import Array, Decoded, Decoder, Ints, Rng
from rnnkit.network.maps import map_misfit
from rnnkit.network.sizes import wants_frequent_first
from rnnkit.network.writer import Writer
from rnnkit.parallel import ALONE, Ranks

BATCH: Final = 256
"""Images that are captioned at once: their captions end at different steps, and few rows are slow, each by itself."""

DRAWING: Final = 0
"""Second word of the seed of decoders that draw. The first batch draws as `Writer.decode` does by itself."""


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
    decoder: Decoder | str | None = None,
    ranks: Ranks = ALONE,
    references: References | None = None,
) -> list[Captioned]:
    """Caption the first `limit` images of a split, or all.

    Args:
        model: a network, or several that write together.
        dataset: an open data folder.
        split: its name.
        limit: number of images; all if left open.
        decoder: how to choose words, or the name of a plugin that does; the spec's if left open.
        ranks: processes that each caption some of the batches. All get all captions, which do not depend on
            their number.
        references: what people said; read from the data folder if left open.

    Raises:
        DataError: there is no such split, its features or words are not those of the model, or its
            annotations are damaged or of other images.
    """
    check_fits(model, dataset)
    references = references or read_references(dataset, split)
    images = dataset.split(split).images
    images = min(images, limit or images)
    batches = [np.arange(i, min(i + BATCH, images)) for i in range(0, images, BATCH)]
    own = {number: batches[number] for number in range(ranks.rank, len(batches), ranks.size)}
    written = ranks.each(
        lambda: list(_captioned(model.afresh(), dataset, split, decoder, own, references))
    )
    return [
        one
        for number in range(len(batches))
        for one in written[number % ranks.size][number // ranks.size]
    ]


def check_fits(model: Writer[Any], dataset: Dataset) -> None:
    """Make sure that a model was made for such data.

    Raises:
        DataError: the features or the words are not those of the model.
    """
    if dataset.feature_width != model.feature_width:
        raise DataError(
            f"{dataset.folder} has features of width {dataset.feature_width}, but the model takes "
            f"{model.feature_width}"
        )
    misfit = map_misfit(model.map, dataset)
    if misfit is not None:
        raise DataError(f"{dataset.folder} has {misfit}")
    check_encoder(model, dataset)
    vocabulary, models = dataset.vocabulary, model.vocabulary
    if models.by_character:
        vocabulary = characters_of(vocabulary)
    if wants_frequent_first(model.spec) and same_words(vocabulary, models):
        vocabulary = models
    # Characters of captions as they were written are more than those of the words.
    more = models.cut == WRITTEN and not dataset.vocabulary.by_character
    fits = {*vocabulary.words} <= {*models.words} if more else vocabulary == models
    if not fits:
        raise DataError(
            f"{dataset.folder} has another vocabulary ({_size(vocabulary)}) than the model "
            f"({_size(models)}): {vocabulary.difference(models)}; give it the data it was trained on"
        )


def check_encoder(model: Writer[Any], dataset: Dataset) -> None:
    """Make sure that image features were made as those that a model was trained on, if both say how.

    Raises:
        DataError: they were made by another encoder, or reduced in another way.
    """
    difference = model.pipeline and dataset.pipeline and model.pipeline.difference(dataset.pipeline)
    if difference:
        raise DataError(
            f"{dataset.folder} has other features than those that the model was trained on: they {difference}; "
            "give it features that are made in the same way"
        )


def _size(vocabulary: Vocabulary) -> str:
    kind = "characters" if vocabulary.by_character else "words"
    return f"{len(vocabulary)} {kind}{', cut as ptb' if vocabulary.cut == PTB else ''}"


def _captioned(
    model: Writer[Any],
    dataset: Dataset,
    name: str,
    decoder: Decoder | str | None,
    batches: Mapping[int, Ints],
    references: References,
) -> Iterator[list[Captioned]]:
    """The captions of the images of each batch; which number a batch has says what is drawn for it."""
    split, seed = dataset.split(name), model.spec.model.seed
    features = split.features.batches(batches.values(), model.dtype)
    for (number, batch), of_batch in zip(batches.items(), features, strict=True):
        rng = np.random.default_rng([seed, DRAWING, number])
        said = sayings(model, of_batch, decoder, rng)
        yield [
            Captioned(
                image=image,
                picture=split.pictures[image] if split.pictures else None,
                caption=caption,
                log_prob=log_prob,
                others=others,
                truth=[*references.captions[image]],
            )
            for image, (caption, log_prob, others) in zip(batch.tolist(), said, strict=True)
        ]


def sayings(
    model: Writer[Any], features: Array, decoder: Decoder | str | None, rng: Rng
) -> Iterator[tuple[str, float, list[tuple[str, float]]]]:
    """For each row of features: the best caption, its log probability, and the others with theirs."""
    return in_words(model.decode(features, decoder, rng), model.vocabulary)


def in_words(
    decoded: Decoded, vocabulary: Vocabulary
) -> Iterator[tuple[str, float, list[tuple[str, float]]]]:
    """For each image: the best caption, its log probability, and the others with theirs."""
    for tokens, log_probs in zip(decoded.tokens, decoded.log_probs, strict=True):
        others = [
            (vocabulary.decode(row), float(log_prob))
            for row, log_prob in zip(tokens[1:], log_probs[1:], strict=True)
            if log_prob > -np.inf
        ]
        yield vocabulary.decode(tokens[0]), float(log_probs[0]), others
