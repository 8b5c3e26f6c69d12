"""reward = 10/4 mean over references r of e^(-(|c| - |r|)^2 / (2 sigma^2)) sum over n of cosine(g_n(c), g_n(r));

g_n(c) has for each n-gram its count in the caption c times log(images / images with it), n = 1 .. 4; the cosine is
min(g_n(c), g_n(r)) . g_n(r) / (|g_n(c)| |g_n(r)|).

Vedantam, Zitnick & Parikh, "CIDEr: consensus-based image description evaluation" (2015), section 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np
from attrs.validators import gt

from rnnkit.kinds import Array, Ints, Judge, Reward, Words
from rnnkit_builtin.rewards.counting.ngrams import Counted, NGrams, lengths_of, ranges, sums
from rnnkit_builtin.rewards.counting.pairs import Pairs, References


@attrs.frozen
class CiderD(Reward):
    """CIDEr-D: how much of what is rare and what people agree on a caption says; 0 to 10.

    It is what `rnnkit eval` calls CIDEr, caption by caption. How rare an n-gram is, the references of all images
    say, counted once.

    Attributes:
        sigma: width of the penalty for captions of other lengths than the references, in words.
    """

    longest: ClassVar[int] = 4
    sigma: float = attrs.field(default=6.0, validator=gt(0.0))

    def judge(self, references: Sequence[Sequence[Words]]) -> Judge:
        known = References.of(references)
        grams, counted = NGrams.of(known.texts, self.longest)
        vectors = [Vectors.of(c, size, known) for c, size in zip(counted, grams.sizes, strict=True)]

        def judge(captions: Sequence[Words], images: Ints) -> Array:
            pairs = known.pairs(images)
            off = _steps(lengths_of(captions))[pairs.captions] - _steps(known.lengths)[pairs.texts]
            found = grams.count(captions)
            likeness = np.zeros(len(pairs))
            for own, vector in zip(found, vectors, strict=True):
                likeness += vector.cosines(own, images, pairs)
            likeness *= np.exp(-(off**2) / (2 * self.sigma**2))
            return 10.0 / self.longest * pairs.mean(likeness)

        return judge


@attrs.frozen(eq=False)
class Vectors:
    """The vectors of all references for n-grams of one length, sparse: by image, then by n-gram.

    Attributes:
        places: (k,), the image times the number of n-grams, and the n-gram.
        texts: (k,), the reference.
        values: (k,).
        norms: (R,), of each reference.
        weights: (size + 1,), of each n-gram; the last one of all that no reference has.
    """

    places: Ints
    texts: Ints
    values: Array
    norms: Array
    weights: Array

    @staticmethod
    def of(counted: Counted, size: int, known: References) -> Vectors:
        """Of the counts of n-grams, of which there are so many."""
        images = len(known.ends) - 1
        places = known.images[counted.texts] * size + counted.grams
        seen = np.bincount(np.unique(places) % max(size, 1), minlength=size + 1)
        weights = np.log(max(images, 1)) - np.log(np.maximum(seen, 1))
        values = counted.counts * weights[counted.grams]
        norms = np.sqrt(sums(values**2, counted.texts, len(known.texts)))
        order = np.argsort(places, kind="stable")
        return Vectors(places[order], counted.texts[order], values[order], norms, weights)

    def cosines(self, own: Counted, images: Ints, pairs: Pairs) -> Array:
        """Of the captions of pairs with their references (P,), as far as they are clipped."""
        size = len(self.weights) - 1
        values = own.counts * self.weights[np.minimum(own.grams, size)]
        norms = np.sqrt(sums(values**2, own.texts, len(images)))
        shared = np.flatnonzero(own.grams < size)
        wanted = images[own.texts[shared]] * size + own.grams[shared]
        found, of = ranges(
            *(np.searchsorted(self.places, wanted, side) for side in ("left", "right"))
        )
        mine = shared[of]
        captions = own.texts[mine]
        pair = pairs.firsts[captions] + self.texts[found] - pairs.begins[captions]
        theirs = self.values[found]
        products = sums(np.minimum(values[mine], theirs) * theirs, pair, len(pairs))
        both = norms[pairs.captions] * self.norms[pairs.texts]
        return np.divide(products, both, out=products, where=both > 0)


def _steps(lengths: Ints) -> Ints:
    """What the published scorer takes for lengths: the number of pairs of neighbouring words."""
    return np.maximum(lengths - 1, 0)
