"""The same captions with other tokens: frequent words first, or in the order of a model's words."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np

from rnnkit.data.dataset import Dataset
from rnnkit.data.vocabulary import Vocabulary
from rnnkit.kinds.arrays import Ints

NEARLY: Final = 0.01
"""The part of all words by which the first ones may be fewer than the most frequent ones, for an order to stay."""


def frequent_first(dataset: Dataset, vocabulary: Vocabulary | None = None) -> Dataset:
    """The dataset with its words by falling frequency in train.

    An order that is nearly that, as `rnnkit data prepare` makes it, stays, and so does the dataset.

    Args:
        dataset: in words or characters. Both have the same open files.
        vocabulary: of a model, whose order is taken if it has the same words.
    """
    words = dataset.vocabulary
    if vocabulary is None:
        order = _by_frequency(dataset)
        vocabulary = words if order is None else _in_order(words, order)
    if vocabulary == words or not same_words(vocabulary, words):
        return dataset
    renumbered = np.array([vocabulary.token(word) for word in words.words], np.int32)
    splits = {}
    for name, split in dataset.splits.items():
        captions = renumbered[split.captions]
        captions.flags.writeable = False
        splits[name] = attrs.evolve(split, captions=captions)
    return attrs.evolve(dataset, vocabulary=vocabulary, splits=splits)


def same_words(one: Vocabulary, other: Vocabulary) -> bool:
    """Whether two vocabularies differ in the order of their words at most."""
    return _in_order(one, _spelling(one)) == _in_order(other, _spelling(other))


def _spelling(vocabulary: Vocabulary) -> list[int]:
    return sorted(range(len(vocabulary)), key=lambda token: vocabulary.words[token])


def _by_frequency(dataset: Dataset) -> list[int] | None:
    """The tokens in their new order, `<NULL>` first; None if they may stay as they are."""
    words = dataset.vocabulary
    captions = next(iter(dataset.splits.values())).captions
    counts = np.bincount(captions.ravel(), minlength=len(words))
    counts[words.null] = counts.sum()
    order: Ints = np.argsort(-counts, kind="stable")
    counts[words.null] = 0
    behind = np.cumsum(counts[order]) - np.cumsum(counts)
    return None if behind.max() <= NEARLY * counts.sum() else order.tolist()


def _in_order(words: Vocabulary, order: list[int]) -> Vocabulary:
    return Vocabulary.from_words(
        [words.words[token] for token in order], joiner=words.joiner, cut=words.cut
    )
