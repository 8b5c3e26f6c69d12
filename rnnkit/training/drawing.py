"""Captions drawn from a network for training, all at once, and the loss whose gradient is that of their probability."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Loss, Mask, Scalar, word_by_word
from rnnkit.network.writer import Writer
from rnnkit.numerics import drawn_by
from rnnkit.spec.schema import builtin


@attrs.frozen(eq=False)
class Drawn:
    """Captions that were drawn, K for each of N images.

    Attributes:
        captions: (N K, 1 + L), `<START> w1 .. wk <END> <NULL> ..`; without `<END>` where the limit came first.
        nats: -log of the probability with which all of them were drawn, word by word; its mean over words estimates the
            entropy of the next word.
    """

    captions: Ints
    nats: float


def draw(model: Writer[Any], features: Array, temperature: float, numbers: Array) -> Drawn:
    """Draw captions from a network as it is when it captions: without dropout.

        w_t ~ p(v | w_1 .. w_(t-1))^(1 / temperature), normalized over the words that captions may have

    Args:
        model: the network.
        features: (N, F), of the images.
        temperature: above 0.
        numbers: (N, K, limit), uniform in [0, 1): what each word of each caption is drawn by.
    """
    N, K, limit = numbers.shape
    dice = _Dice(numbers.reshape(N * K, limit), temperature, model.vocabulary.end)
    memory = model.begin(features).take(np.repeat(np.arange(N), K))
    words = model.vocabulary
    found = word_by_word(dice.words, model.writing_step, memory, words.start, words.end, limit)
    tokens = found.tokens[:, 0]
    behind = np.cumsum(tokens == words.end, axis=1) - (tokens == words.end) > 0
    captions = np.full((N * K, 1 + tokens.shape[1]), words.start)
    captions[:, 1:] = np.where(behind, words.null, tokens)
    return Drawn(captions, dice.nats)


@attrs.define
class _Dice:
    """Draws the next word of each caption that goes on, by the numbers that are meant for it.

    Which number is whose does not depend on what the captions beside it do, nor on which of several ranks has it.
    """

    numbers: Array
    temperature: float
    end: int
    nats: float = 0.0
    _step: int = 0
    _live: Ints = attrs.field(init=False)

    @_live.default
    def _all(self) -> Ints:
        return np.arange(len(self.numbers))

    def words(self, log_probs: Array) -> Ints:
        """The next token of each (n,), from log probabilities (n, V)."""
        best = log_probs.max(axis=1, keepdims=True)
        weights = np.exp((log_probs - best) / self.temperature)
        words, sums = drawn_by(weights, self.numbers[self._live, self._step])
        rows = np.arange(len(words))
        gained = (log_probs[rows, words] - best[:, 0]) / self.temperature - np.log(sums)
        self.nats -= float(gained.sum())
        self._live, self._step = self._live[words != self.end], self._step + 1
        return words


def _likelihood() -> Loss:
    return builtin(Loss, "softmax-cross-entropy")


@attrs.frozen
class DrawingLoss(Loss):
    """-log of the probability with which `draw` draws a word, which is not the network's own where some words may not
    appear, or the temperature is not 1.

    Attributes:
        banned: the words that do not appear.
        temperature: at which words are drawn.
    """

    banned: tuple[int, ...]
    temperature: float = 1.0
    likelihood: Loss = attrs.field(factory=_likelihood)

    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        return self._cooled(*self.likelihood.evaluate(self._left(scores), targets, mask))

    def weighted(
        self, scores: Array, targets: Ints, mask: Mask, weights: Array
    ) -> tuple[Scalar, Array]:
        return self._cooled(*self.likelihood.weighted(self._left(scores), targets, mask, weights))

    def _left(self, scores: Array) -> Array:
        left: Array = scores / scores.dtype.type(self.temperature)
        left[:, list(self.banned)] = -np.inf
        return left

    def _cooled(self, loss: Scalar, dscores: Array) -> tuple[Scalar, Array]:
        return loss, np.divide(dscores, dscores.dtype.type(self.temperature), out=dscores)
