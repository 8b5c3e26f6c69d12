"""w_t = f(p(v | w_1 .. w_(t-1))): how each word is chosen, in one line.

Authors, "Title" (year), section.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from rnnkit.kinds import Array, Decoded, Decoder, Ints, M, Rng, word_by_word


@attrs.frozen
class NewPlugin(Decoder):
    """What it is, in one line.

    An option is a field, as in `temperature: float = 1.0`, and is described here under `Attributes:`.
    """

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
            lambda log_probs: self.choose(log_probs, rng), step, memory, start, end, limit
        )

    def choose(self, log_probs: Array, rng: Rng) -> Ints:
        """The next token of each row (n,), from the log probabilities of all (n, V)."""
        raise NotImplementedError("write the choice of the next token of each row")
