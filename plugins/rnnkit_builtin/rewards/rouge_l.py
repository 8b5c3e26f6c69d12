"""reward = (1 + beta^2) P R / (R + beta^2 P); P and R are the longest common subsequence's share of caption and reference.

Lin, "ROUGE: a package for automatic evaluation of summaries" (2004), section 3; with several references, the best
precision and the best recall, as in coco-caption.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from attrs.validators import gt

from rnnkit.kinds import Array, Ints, Judge, Reward, Words
from rnnkit_builtin.rewards.counting.ngrams import lengths_of
from rnnkit_builtin.rewards.counting.pairs import References


@attrs.frozen
class RougeL(Reward):
    """ROUGE-L, 0 to 1: how many words a caption has in the order of a reference, whatever stands between them.

    Attributes:
        beta: how many times more recall counts than precision.
    """

    beta: float = attrs.field(default=1.2, validator=gt(0.0))

    def judge(self, references: Sequence[Sequence[Words]]) -> Judge:
        known = References.of(references)

        def judge(captions: Sequence[Words], images: Ints) -> Array:
            pairs = known.pairs(images)
            shared = np.array(
                [
                    common(captions[c], known.texts[r])
                    for c, r in zip(pairs.captions.tolist(), pairs.texts.tolist(), strict=True)
                ],
                np.float64,
            )
            own, theirs = lengths_of(captions)[pairs.captions], known.lengths[pairs.texts]
            p = pairs.largest(shared / np.maximum(own, 1))
            r = pairs.largest(shared / np.maximum(theirs, 1))
            below = r + self.beta**2 * p
            return np.divide((1 + self.beta**2) * p * r, below, out=p * r, where=below > 0)

        return judge


def common(a: Words, b: Words) -> int:
    """The length of the longest common subsequence.

    One bit for each word of b, a 0 where the subsequence grows (Hyyrö, "Bit-parallel LCS-length computation revisited",
    2004).
    """
    places: dict[str, int] = {}
    for i, word in enumerate(b):
        places[word] = places.get(word, 0) | 1 << i
    whole = (1 << len(b)) - 1
    row = whole
    for word in a:
        hit = row & places.get(word, 0)
        row = (row + hit | row - hit) & whole
    return len(b) - row.bit_count()
