"""w_t ~ p(v | w_1 .. w_(t-1))^(1 / temperature), normalized over the words that top_k and top_p leave.

Fan, Lewis & Dauphin, "Hierarchical neural story generation" (2018), section 5.4 (top_k); Holtzman, Buys, Du,
Forbes & Choi, "The curious case of neural text degeneration" (2020), section 3.1 (top_p).
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, le, optional

from rnnkit.kinds import Array, Decoded, Decoder, Ints, M, Rng, word_by_word
from rnnkit.numerics import drawn_by


@attrs.frozen
class Sample(Decoder):
    """Words drawn at random. The log probabilities of captions are the model's own, at temperature 1.

    Attributes:
        temperature: above 0; below 1 likely words get likelier, above 1 all words get more alike.
        top_k: draw from the k likeliest words only.
        top_p: draw only from the fewest likeliest words whose probabilities, at this temperature and within
            top_k, sum up to at least this; in (0, 1].
        no_repeat: so many words in a row never come twice in a caption (an n-gram block; 2 or 3 are usual,
            and 1 leaves no word twice, not even "a").
        draws: captions of each image, drawn independently of each other, the likeliest first; a caption may
            be among them more than once.
    """

    temperature: float = attrs.field(default=1.0, validator=gt(0.0))
    top_k: int | None = attrs.field(default=None, validator=optional(ge(1)))
    top_p: float | None = attrs.field(default=None, validator=optional(and_(gt(0.0), le(1.0))))
    no_repeat: int | None = attrs.field(default=None, validator=optional(ge(1)))
    draws: int = attrs.field(default=1, validator=ge(1))

    def decode(
        self,
        step: Callable[[Ints, M], tuple[Array, M]],
        memory: M,
        start: int,
        end: int,
        limit: int,
        rng: Rng,
    ) -> Decoded:
        def draw(log_probs: Array) -> Ints:
            words, _ = drawn_by(self.weights(log_probs), rng.random(len(log_probs)))
            return words

        N, K = len(memory), self.draws
        if K > 1:
            memory = memory.take(np.repeat(np.arange(N), K))
        drawn = word_by_word(draw, step, memory, start, end, limit, self.no_repeat)
        log_probs = drawn.log_probs.reshape(N, K)
        order = np.argsort(-log_probs, axis=1, kind="stable")
        tokens = drawn.tokens.reshape(N, K, drawn.tokens.shape[2])
        return Decoded(
            np.take_along_axis(tokens, order[:, :, None], axis=1),
            np.take_along_axis(log_probs, order, axis=1),
        )

    def weights(self, log_probs: Array) -> Array:
        """What words are drawn by: (n, V), not normalized, 0 for words that must not appear."""
        best = log_probs.max(axis=1, keepdims=True).astype(np.float64)
        best[np.isneginf(best)] = 0.0  # where no word may appear
        weights: Array = np.exp((log_probs - best) / self.temperature)
        if self.top_k is None and self.top_p is None:
            return weights
        order = np.argsort(-log_probs, axis=1, kind="stable")
        ranked = np.take_along_axis(weights, order, axis=1)
        if self.top_k is not None:
            ranked[:, self.top_k :] = 0.0
        if self.top_p is not None:
            total = np.cumsum(ranked, axis=1)
            ranked[total - ranked >= self.top_p * total[:, -1:]] = 0.0
        np.put_along_axis(weights, order, ranked, axis=1)
        return weights
