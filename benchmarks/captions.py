"""Captions and features to draw batches from: those of a data folder, or random ones that are like Flickr8k's."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np

import rnnkit
from benchmarks.task import END, NULL, START, UNKNOWN, Batch, Problem
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array, Ints, Rng

FLICKR8K_LENGTHS = (
    0,
    0,
    0,
    15,
    126,
    346,
    862,
    1958,
    2537,
    2929,
    3318,
    3320,
    3131,
    2777,
    2321,
    1848,
    4512,
)
"""How many of 30,000 captions of Flickr8k have 0, 1, 2, .. 16 tokens after their start, longer ones cut."""

ZIPF_EXPONENT = 1.2
"""The word of rank r = 1, 2, .. has weight 1 / (r + 1)^1.2. A batch then has about as many distinct words as one
of Flickr8k, 590 of 2,690 tokens at N = 256; so many must be projected, and so many gradients summed."""


@attrs.frozen
class Source:
    """Captions, and the features of their images.

    Attributes:
        captions: (n, T).
        image_idxs: (n,), the row in `features` of each caption's image.
        features: (m, F), float32.
        vocabulary: V.
    """

    captions: Ints
    image_idxs: Ints
    features: Array
    vocabulary: int

    def problem(self, cell: str, batch: int) -> Problem:
        """A network for this data."""
        return Problem(
            cell,
            batch,
            length=self.captions.shape[1],
            features=self.features.shape[1],
            vocabulary=self.vocabulary,
        )

    def batch(self, n: int, rng: Rng) -> Batch:
        """Some of the captions, drawn at random."""
        rows = rng.integers(0, len(self.captions), n)
        return Batch(self.captions[rows], self.features[self.image_idxs[rows]])

    def batches(self, n: int, count: int) -> list[Batch]:
        """The same batches at every call."""
        rng = np.random.default_rng(0)
        return [self.batch(n, rng) for _ in range(count)]


def read_source(folder: Path) -> Source:
    """The train split of a data folder.

    Raises:
        DataError: it cannot be read, or has its special words elsewhere than all contenders expect them.
    """
    with rnnkit.open_data(folder) as data:
        v = data.vocabulary
        if (v.null, v.start, v.end, v.unknown) != (NULL, START, END, UNKNOWN):
            raise DataError(f"{folder}: the special words must be the first four of the vocabulary")
        split = data.split("train")
        everyone = np.arange(split.images)
        features = split.features.rows(everyone, np.dtype(np.float32))
        return Source(split.captions, split.image_idxs, features, len(v))


def random_source(
    rows: int = 8192, vocabulary: int = 2541, features: int = 512, length: int | None = None
) -> Source:
    """Random words at Flickr8k's lengths; or, with `length`, captions of that many tokens, none shorter."""
    rng = np.random.default_rng(0)
    T = length or len(FLICKR8K_LENGTHS)
    lengths = np.full(rows, T - 1)
    if length is None:
        share = np.array(FLICKR8K_LENGTHS) / sum(FLICKR8K_LENGTHS)
        lengths = rng.choice(T, rows, p=share)
    captions = _words((rows, T), vocabulary, rng)
    captions[:, 0] = START
    captions[np.arange(rows), lengths] = END
    captions[np.arange(T) > lengths[:, None]] = NULL
    values = rng.standard_normal((rows, features), np.float32)
    return Source(captions, np.arange(rows), values, vocabulary)


def _words(shape: tuple[int, int], vocabulary: int, rng: Rng) -> Ints:
    """Independent words by Zipf's law, as Mandelbrot wrote it; the special ones left out."""
    ranks = np.arange(1, vocabulary - UNKNOWN)
    below = np.cumsum((ranks + 1.0) ** -ZIPF_EXPONENT)
    drawn: Ints = np.searchsorted(below, rng.random(shape) * below[-1]).astype(np.int32)
    return drawn + UNKNOWN + 1
