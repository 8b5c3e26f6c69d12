"""reward = min(1, e^(1 - r/c)) (p_1 .. p_N)^(1/N); c words in the caption, r in the reference closest to it in length,

p_n = the share of the caption's n-grams that a reference has too, each as often as it stands in one reference.

Papineni, Roukos, Ward & Zhu, "BLEU: a method for automatic evaluation of machine translation" (2002), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
from attrs.validators import and_, ge, le

from rnnkit.kinds import Array, Ints, Judge, Reward, Words
from rnnkit_builtin.rewards.counting.ngrams import Counted, NGrams, lengths_of, sums
from rnnkit_builtin.rewards.counting.pairs import References

TINY: Final = 1e-15
SMALL: Final = 1e-9
"""Added above and below, as the published scorer does it, so that nothing is divided by 0."""


@attrs.frozen
class Bleu(Reward):
    """BLEU of each caption alone, 0 to 1.

    A caption in which no N words in a row are those of a reference has next to nothing.

    Attributes:
        order: N, the length of the longest n-grams.
    """

    order: int = attrs.field(default=4, validator=and_(ge(1), le(10)))

    def judge(self, references: Sequence[Sequence[Words]]) -> Judge:
        known = References.of(references)
        grams, counted = NGrams.of(known.texts, self.order)
        most = [_Most.of(c, size, known) for c, size in zip(counted, grams.sizes, strict=True)]
        far = int(known.lengths.max(initial=0)) + 1

        def judge(captions: Sequence[Words], images: Ints) -> Array:
            lengths, pairs = lengths_of(captions), known.pairs(images)
            theirs = known.lengths[pairs.texts]
            # The closest one, and the shortest of those.
            closest = pairs.least(np.abs(theirs - lengths[pairs.captions]) * far + theirs) % far
            product = np.ones(len(captions))
            for n, (own, least) in enumerate(zip(grams.count(captions), most, strict=True)):
                there = np.maximum(lengths - n, 0)
                product *= (least.shared(own, images) + TINY) / (there + SMALL)
            ratio = (lengths + TINY) / (closest + SMALL)
            brevity = np.exp(1.0 - 1.0 / np.minimum(ratio, 1.0))
            return np.asarray(brevity * product ** (1.0 / self.order))

        return judge


@attrs.frozen(eq=False)
class _Most:
    """How often n-grams of one length stand in one reference of an image, at most.

    Attributes:
        size: how many n-grams there are.
        places: (k,), the image times the size, and the n-gram; rising.
        counts: (k,).
    """

    size: int
    places: Ints
    counts: Ints

    @staticmethod
    def of(counted: Counted, size: int, known: References) -> _Most:
        places, at = np.unique(
            known.images[counted.texts] * size + counted.grams, return_inverse=True
        )
        counts = np.zeros(len(places), np.int64)
        np.maximum.at(counts, at, counted.counts)
        return _Most(size, places, counts)

    def shared(self, own: Counted, images: Ints) -> Array:
        """How many n-grams of each caption (n,) its image's references have too."""
        wanted = images[own.texts] * self.size + own.grams
        at = np.searchsorted(self.places, wanted)
        there = (own.grams < self.size) & (at < len(self.places))
        there[there] = self.places[at[there]] == wanted[there]
        counts = np.minimum(own.counts[there], self.counts[at[there]])
        return sums(counts, own.texts[there], len(images))
