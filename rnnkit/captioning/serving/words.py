"""The words of a caption, each with how likely it was, and those that nearly were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import numpy as np

from rnnkit.captioning.attention import follow, looks
from rnnkit.data.vocabulary import Vocabulary
from rnnkit.kinds import Array, DType, Ints, Memory
from rnnkit.network.memory import Remembered
from rnnkit.network.model import Captioner
from rnnkit.network.writer import Writer

INSTEAD: Final = 5
"""Words that nearly were, of each word."""


@attrs.frozen
class Word:
    """A word that was written.

    Attributes:
        word: itself.
        probability: that the network gave it, after the words before it.
        instead: the likeliest others, with theirs.
        attention: weights of the regions as it was chosen; None of a network that does not look at regions.
    """

    word: str
    probability: float
    instead: tuple[tuple[str, float], ...]
    attention: tuple[float, ...] | None

    @classmethod
    def chosen(
        cls, token: int, log_probs: Array, looked: Array | None, vocabulary: Vocabulary
    ) -> Word:
        """The word of a token that was chosen by log probabilities (V,), looking with weights (L,)."""
        best = np.argsort(-log_probs, kind="stable")[: INSTEAD + 1]
        others = [t for t in best.tolist() if t != token and log_probs[t] > -np.inf][:INSTEAD]
        return cls(
            vocabulary.words[token],
            float(np.exp(log_probs[token])),
            tuple((vocabulary.words[t], float(np.exp(log_probs[t]))) for t in others),
            None if looked is None else tuple(looked.ravel().tolist()),
        )


def words_of(model: Captioner, features: Array, captions: Ints) -> list[list[Word]]:
    """The words of captions (N, T), of images (N, F)."""
    found: list[list[Word]] = [[] for _ in captions]
    live = np.ones(len(captions), np.bool_)
    for tokens, (log_probs, looked) in zip(
        captions.T, follow(model, features, captions), strict=True
    ):
        live &= tokens != model.vocabulary.end
        for i in np.flatnonzero(live):
            weights = None if looked is None else looked[i]
            word = Word.chosen(int(tokens[i]), log_probs[i], weights, model.vocabulary)
            found[i].append(word)
    return found


Told = Callable[[Word], None]
"""Is called with each word of a caption, as soon as it is chosen."""


@attrs.frozen(eq=False)
class Marked(Memory):
    """A memory whose rows know which image they are of."""

    inner: Remembered
    images: Ints

    def __len__(self) -> int:
        return len(self.inner)

    def take(self, rows: Ints) -> Marked:
        return Marked(self.inner.take(rows), self.images[rows])


class Telling(Writer[Marked]):
    """A network that tells each word when its decoder has chosen it.

    A decoder is seen through the steps it asks for: as long as an image has one caption under way, the token that
    it goes on with is chosen for good. Of an image with more of them, nothing is told: that is a search.
    """

    def __init__(self, model: Captioner, told: Sequence[Told | None]) -> None:
        """`told` is called for each of the images."""
        self.model = model
        self.spec, self.vocabulary = model.spec, model.vocabulary
        self.feature_width, self.length = model.feature_width, model.length
        self.map, self.pipeline = model.map, model.pipeline
        self._told = {i: tell for i, tell in enumerate(told) if tell is not None}
        self._before: dict[int, tuple[Array, Array | None]] = {}

    @property
    def dtype(self) -> DType:
        return self.model.dtype

    def nats(self, features: Array, captions: Ints) -> tuple[float, int]:
        return self.model.nats(features, captions)

    def afresh(self) -> Telling:
        told = [self._told.get(i) for i in range(max(self._told, default=-1) + 1)]
        return Telling(self.model.afresh(), told)

    def begin(self, features: Array) -> Marked:
        return Marked(self.model.begin(features), np.arange(len(features)))

    def step(self, tokens: Ints, memory: Marked) -> tuple[Array, Marked]:
        log_probs, inner = self.model.step(tokens, memory.inner)
        return log_probs, Marked(inner, memory.images)

    def writing_step(self, tokens: Ints, memory: Marked) -> tuple[Array, Marked]:
        looked = looks(self.model, memory.inner)
        log_probs, after = super().writing_step(tokens, memory)
        for i, tell in list(self._told.items()):
            rows = np.flatnonzero(memory.images == i)
            if len(rows) > 1:
                del self._told[i]
            elif len(rows) == 1:
                row = int(rows[0])
                if i in self._before:
                    tell(Word.chosen(int(tokens[row]), *self._before[i], self.vocabulary))
                weights = None if looked is None else looked[row]
                self._before[i] = log_probs[row].copy(), weights
        return log_probs, after
