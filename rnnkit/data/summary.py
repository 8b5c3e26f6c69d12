"""A data folder in numbers."""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.data.dataset import Dataset, Split
from rnnkit.data.features import FeatureMap
from rnnkit.data.vocabulary import Vocabulary
from rnnkit.kinds.arrays import Ints

_COUNTED = 2**16  # captions whose tokens are counted at once


@attrs.frozen
class SplitSummary:
    """A split in numbers.

    Attributes:
        split: its name.
        images: number of images.
        captions: number of captions.
        mean_words: words in a caption, on average, without `<START>`, `<END>` and `<NULL>`.
        unknown_percent: how many of 100 words are `<UNK>`; None if the vocabulary has no such word.
        feature_width: F.
        feature_type: of the values in the files, such as float32.
        feature_bytes: size of the values in that type.
        feature_files: how many files they are in.
        held: True if the features are held in memory, False if they are read as they are wanted.
    """

    split: str
    images: int
    captions: int
    mean_words: float
    unknown_percent: float | None
    feature_width: int
    feature_type: str
    feature_bytes: int
    feature_files: int
    held: bool


@attrs.frozen
class Summary:
    """A data folder in numbers.

    Attributes:
        folder: its path.
        vocabulary: number of words, the special ones included.
        length: T, the tokens of a caption, `<START>` and `<END>` included.
        map: what the features of an image are, if they are a map.
        splits: train first.
    """

    folder: str
    vocabulary: int
    length: int
    map: FeatureMap | None
    splits: tuple[SplitSummary, ...]


def describe(dataset: Dataset) -> Summary:
    """What is in an open data folder, in numbers."""
    return Summary(
        folder=str(dataset.folder),
        vocabulary=len(dataset.vocabulary),
        length=dataset.length,
        map=dataset.feature_map,
        splits=tuple(_describe(s, dataset.vocabulary) for s in dataset.splits.values()),
    )


def count_targets(captions: Ints, vocabulary: Vocabulary) -> Ints:
    """How often captions (n, T) have each token (V,), `<START>` and `<NULL>` left out."""
    counts = np.zeros(len(vocabulary), np.int64)
    for i in range(0, len(captions), _COUNTED):
        counts += np.bincount(captions[i : i + _COUNTED].ravel(), minlength=len(vocabulary))
    counts[[vocabulary.null, vocabulary.start]] = 0
    return counts


def _describe(split: Split, vocabulary: Vocabulary) -> SplitSummary:
    counts = count_targets(split.captions, vocabulary)
    words = counts.sum() - counts[vocabulary.end]
    unknown = None if vocabulary.unknown is None else counts[vocabulary.unknown]
    features = split.features
    return SplitSummary(
        split=split.name,
        images=split.images,
        captions=len(split.captions),
        mean_words=float(words / len(split.captions)),
        unknown_percent=None if unknown is None else float(100 * unknown / max(words, 1)),
        feature_width=features.width,
        feature_type=features.stored.name,
        feature_bytes=len(features) * features.width * features.stored.itemsize,
        feature_files=features.files,
        held=features.held,
    )
