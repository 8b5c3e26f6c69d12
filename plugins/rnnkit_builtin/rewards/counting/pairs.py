"""Captions beside the references of their images: a pair for each."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Words
from rnnkit_builtin.rewards.counting.ngrams import lengths_of, ranges, sums


@attrs.frozen(eq=False)
class References:
    """What people wrote of all images, one text after the other.

    Attributes:
        texts: of the first image, then of the second, and so on.
        images: (R,), of each text.
        lengths: (R,), words of each text.
        ends: (I + 1,), where the texts of each image end, after a 0.
    """

    texts: tuple[Words, ...]
    images: Ints
    lengths: Ints
    ends: Ints

    @staticmethod
    def of(references: Sequence[Sequence[Words]]) -> References:
        """Those of each image."""
        texts = tuple(text for of_image in references for text in of_image)
        counts = np.fromiter(map(len, references), np.int64, len(references))
        images = np.repeat(np.arange(len(references)), counts)
        return References(texts, images, lengths_of(texts), np.r_[0, np.cumsum(counts)])

    def pairs(self, images: Ints) -> Pairs:
        """The pairs of captions of these images."""
        begins, ends = self.ends[images], self.ends[images + 1]
        texts, captions = ranges(begins, ends)
        counts = ends - begins
        return Pairs(texts, captions, np.cumsum(counts) - counts, counts, begins)


@attrs.frozen(eq=False)
class Pairs:
    """A pair of each of n captions with each reference of its image, by caption.

    Attributes:
        texts: (P,), the reference of each pair.
        captions: (P,), its caption.
        firsts: (n,), the first pair of each caption.
        counts: (n,), how many it has.
        begins: (n,), the reference in its first pair.
    """

    texts: Ints
    captions: Ints
    firsts: Ints
    counts: Ints
    begins: Ints

    def __len__(self) -> int:
        return len(self.texts)

    def mean(self, values: Array) -> Array:
        """Of the values of its pairs (P,), for each caption: (n,)."""
        return sums(values, self.captions, len(self.counts)) / self.counts

    def least(self, values: Ints) -> Ints:
        """The least value of its pairs (P,), for each caption: (n,)."""
        return np.asarray(np.minimum.reduceat(values, self.firsts) if len(values) else values)

    def largest(self, values: Array) -> Array:
        """The largest value of its pairs (P,), for each caption: (n,)."""
        return np.asarray(np.maximum.reduceat(values, self.firsts) if len(values) else values)
