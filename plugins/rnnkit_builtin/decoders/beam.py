"""The captions of highest log p(w_1 .. w_L) / L^length_penalty that a beam of `width` finds.

Graves, "Sequence transduction with recurrent neural networks" (2012), section 2.5; the penalty is that of Wu et
al., "Google's neural machine translation system" (2016), section 7, in its simplest form.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from attrs.validators import ge

from rnnkit.decoding import M, finished
from rnnkit.kinds import Array, Decoded, Decoder, Ints, Rng


@attrs.frozen
class Beam(Decoder):
    """Beam search; its captions, K = width, are all different and come best first.

    An image has `width` slots. At each step the best `width` of its finished captions and of all one-word
    continuations of its unfinished ones stay. A slot that nothing is left for has log probability -inf and
    end tokens only.

    Attributes:
        width: number of slots; 1 is greedy decoding.
        length_penalty: power of the length (end token included) that a log probability is divided by; 0
            favours short captions, 1 compares means per word.
    """

    width: int = attrs.field(default=3, validator=ge(1))
    length_penalty: float = attrs.field(default=0.0, validator=ge(0.0))

    def decode(
        self,
        step: Callable[[Ints, M], tuple[Array, M]],
        memory: M,
        start: int,
        end: int,
        limit: int,
        rng: Rng,
    ) -> Decoded:
        N, K = len(memory), self.width
        tokens = np.full((N, K, limit), end)
        log_probs = np.full((N, K), -np.inf)
        lengths = np.ones((N, K))
        live = np.zeros((N, K), np.bool_)
        log_probs[:, 0], live[:, 0] = 0.0, True
        last = np.full(N, start)
        for t in range(limit):
            if not live.any():
                break
            scores, memory = step(last, memory)
            gains, words = best_words(scores, K)
            # Every slot has J continuations; one that is not live has itself, followed by an end token.
            J = gains.shape[1]
            totals = np.full((N, K, J), -np.inf)
            totals[:, :, 0] = log_probs
            totals[live] = log_probs[live, None] + gains
            nexts = np.full((N, K, J), end)
            nexts[live] = words
            lengths[live] = t + 1
            ranks = totals / lengths[:, :, None] ** self.length_penalty
            chosen = np.argsort(-ranks.reshape(N, -1), axis=1, kind="stable")[:, :K]
            parents = chosen // J
            rows = np.take_along_axis(np.cumsum(live).reshape(N, K) - 1, parents, axis=1)
            tokens = np.take_along_axis(tokens, parents[:, :, None], axis=1)
            lengths = np.take_along_axis(lengths, parents, axis=1)
            log_probs = np.take_along_axis(totals.reshape(N, -1), chosen, axis=1)
            tokens[:, :, t] = np.take_along_axis(nexts.reshape(N, -1), chosen, axis=1)
            live = (tokens[:, :, t] != end) & (log_probs > -np.inf)
            last, memory = tokens[live, t], memory.take(rows[live])
        return finished(tokens, log_probs, end)


def best_words(log_probs: Array, k: int) -> tuple[Array, Ints]:
    """The k largest of each row of (n, V), largest first: values and columns (n, min(k, V)).

    The array is used up: one pass for each of the k is faster than sorting, as long as k is small.
    """
    everyone = np.arange(len(log_probs))
    shape = len(log_probs), min(k, log_probs.shape[1])
    values, columns = np.empty(shape), np.empty(shape, np.intp)
    for j in range(shape[1]):
        columns[:, j] = log_probs.argmax(axis=1)
        values[:, j] = log_probs[everyone, columns[:, j]]
        log_probs[everyone, columns[:, j]] = -np.inf
    return values, columns
