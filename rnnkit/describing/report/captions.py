"""What the network says of images, beside what people said: a sample, the best and the worst."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np

from rnnkit.captioning.evaluation import Evaluation, evaluate
from rnnkit.captioning.images import Captioned
from rnnkit.data import Dataset
from rnnkit.describing.report.numbers import percent
from rnnkit.describing.report.pictures import Album, Picture
from rnnkit.errors import RnnkitError
from rnnkit.metrics import DEFAULT, check, judge, tokenize
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import tokenized

SAMPLE: Final = 8
EXTREMES: Final = 4


@attrs.frozen
class Word:
    """A word of a caption, and whether any person used it for this image."""

    text: str
    shared: bool


@attrs.frozen
class Card:
    """One image with its captions.

    Attributes:
        picture: it, or its name.
        words: what the network says.
        truth: what people said.
        facts: measured of it, in words.
    """

    picture: Picture
    words: tuple[Word, ...]
    truth: tuple[str, ...]
    facts: tuple[str, ...]


@attrs.frozen
class Look:
    """What there is to see on a split.

    Attributes:
        evaluation: of the images looked at.
        scores: title of a metric's value -> value over all of them; empty if they cannot be computed.
        missing: why not, in a sentence.
        measure: what the best and the worst are found by.
        sample: images at equal distances.
        best: by the measure, best first.
        worst: worst first.
    """

    evaluation: Evaluation
    scores: Mapping[str, float]
    missing: str
    measure: str
    sample: tuple[Card, ...]
    best: tuple[Card, ...]
    worst: tuple[Card, ...]


def look(model: Captioner, dataset: Dataset, split: str, limit: int) -> Look:
    """Caption the first `limit` images of a split, and choose what to show.

    The best and the worst are found by CIDEr where it can be computed, else by the nats per token that people's
    captions of the image take.

    Raises:
        DataError: the split's features or words are not those of the model, or its annotations are damaged.
    """
    found = evaluate(model, dataset, split, metrics=(), limit=limit)
    described = [one for one in found.captions if one.truth]
    scores: dict[str, float] = {}
    missing = ""
    try:
        check(DEFAULT)
        judged = judge(
            {one.image: one.caption for one in described},
            {one.image: one.truth for one in described},
        )
        scores = judged.overall
        values = {one.image: judged.each[one.image]["cider"] for one in described}
        measure, best_first = "CIDEr", True
    except RnnkitError as e:
        missing = str(e)
        values = _nats_each(model, dataset, split, [one.image for one in described])
        measure, best_first = "nats per token", False
    album = Album(dataset.folder)
    unit = "character" if found.by_character else "word"

    def cards(chosen: Sequence[Captioned]) -> tuple[Card, ...]:
        return tuple(
            _card(one, album, [f"{measure} {values[one.image]:.2f}"] if one.truth else [], unit)
            for one in chosen
        )

    ranked = sorted(described, key=lambda one: values[one.image], reverse=best_first)
    extremes = min(EXTREMES, len(ranked) // 2)
    return Look(
        evaluation=found,
        scores=scores,
        missing=missing,
        measure=measure,
        sample=cards(_spread(found.captions, SAMPLE)),
        best=cards(ranked[:extremes]),
        worst=cards(ranked[::-1][:extremes]),
    )


def _spread(captions: Sequence[Captioned], most: int) -> list[Captioned]:
    """So many at equal distances, the first among them."""
    n = min(most, len(captions))
    return [captions[i * len(captions) // n] for i in range(n)]


def _card(one: Captioned, album: Album, measured: Sequence[str], unit: str) -> Card:
    said_by_people = {token for text in one.truth for token in tokenize(text)}
    return Card(
        picture=album.picture(one.picture, one.image),
        words=tuple(
            Word(word, all(token in said_by_people for token in tokenize(word)))
            for word in one.caption.split()
        ),
        truth=tuple(one.truth),
        facts=(*measured, f"{percent(sureness(one, unit))} sure of each {unit}"),
    )


def sureness(one: Captioned, unit: str) -> float:
    """The geometric mean of the probabilities that a network gave to the characters or words of its caption."""
    tokens = len(one.caption) if unit == "character" else len(one.caption.split())
    return math.exp(one.log_prob / (tokens + 1))  # its end is a token, too


def _nats_each(
    model: Captioner, dataset: Dataset, split: str, images: Sequence[int]
) -> dict[int, float]:
    """Negative log likelihood per token of people's captions, image by image."""
    chosen = tokenized(model.spec, dataset, model.vocabulary).split(split)
    rows = [np.flatnonzero(chosen.image_idxs == image) for image in images]
    nats: dict[int, float] = {}
    for image, (captions, features) in zip(images, chosen.batches(rows, model.dtype), strict=True):
        total, count = model.nats(features, captions)
        nats[image] = total / max(count, 1)
    return nats
