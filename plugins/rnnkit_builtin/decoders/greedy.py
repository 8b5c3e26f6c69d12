"""w_t = argmax over v of p(v | w_1 .. w_(t-1))."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from rnnkit.decoding import M, word_by_word
from rnnkit.kinds import Array, Decoded, Decoder, Ints, Rng


@attrs.frozen
class Greedy(Decoder):
    """The likeliest word, word by word; the first of them where some are equal."""

    def decode(
        self,
        step: Callable[[Ints, M], tuple[Array, M]],
        memory: M,
        start: int,
        end: int,
        limit: int,
        rng: Rng,
    ) -> Decoded:
        return word_by_word(
            lambda log_probs: log_probs.argmax(axis=1), step, memory, start, end, limit
        )
