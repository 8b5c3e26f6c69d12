"""w_t = argmax over v of p(v | w_1 .. w_(t-1))."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from attrs.validators import ge, optional

from rnnkit.kinds import Array, Decoded, Decoder, Ints, M, Rng, word_by_word


@attrs.frozen
class Greedy(Decoder):
    """The likeliest word, word by word; the first of them where some are equal.

    Attributes:
        no_repeat: so many words in a row never come twice in a caption (an n-gram block; 2 or 3 are usual,
            and 1 leaves no word twice, not even "a").
    """

    no_repeat: int | None = attrs.field(default=None, validator=optional(ge(1)))

    def decode(
        self,
        step: Callable[[Ints, M], tuple[Array, M]],
        memory: M,
        start: int,
        end: int,
        limit: int,
        rng: Rng,
    ) -> Decoded:
        def likeliest(log_probs: Array) -> Ints:
            words: Ints = log_probs.argmax(axis=1)
            return words

        return word_by_word(likeliest, step, memory, start, end, limit, self.no_repeat)
