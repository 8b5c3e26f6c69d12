"""Scores captions against what people wrote: BLEU, ROUGE-L, CIDEr, METEOR and SPICE.

    from rnnkit.metrics import scores

    scores({7: "a dog runs"}, {7: ["A dog, running.", "The dog's running!"]})

Captions that are cut into tokens already are scored as they are: `scores({7: ["a", "dog"]}, {7: [["a", "dog"]]})`.

The scorers are pycocoevalcap's own (`pip install "rnnkit[eval]"`); they need no Java, but for METEOR and SPICE.
"""

from rnnkit.metrics.scorers import TITLES
from rnnkit.metrics.scoring import (
    DEFAULT,
    METRICS,
    Judged,
    check,
    installed,
    judge,
    scores,
    scores_each,
)
from rnnkit.metrics.tokenizer import tokenize

__all__ = [
    "DEFAULT",
    "METRICS",
    "TITLES",
    "Judged",
    "check",
    "installed",
    "judge",
    "scores",
    "scores_each",
    "tokenize",
]
