"""The captions of highest log p(w_1 .. w_L) / L^length_penalty that a beam of `width` finds.

Graves, "Sequence transduction with recurrent neural networks" (2012), section 2.5; the penalty is that of Wu et
al., "Google's neural machine translation system" (2016), section 7, in its simplest form.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from attrs.validators import ge, optional

from rnnkit.kinds import Array, Decoded, Decoder, Ints, M, Rng, block_repeats, finished


@attrs.frozen
class Beam(Decoder):
    """Beam search; its captions, K = width, are all different and come best first.

    At each step the `width` likeliest one-word continuations of an image's unfinished captions stay. Those
    that end are set aside and never lost; the others go on, until the limit, or until they could not become
    one of the `width` best even if all that is to come were certain. What has no caption left has log
    probability -inf and end tokens only.

    Attributes:
        width: captions that are kept at each step; 1 is greedy decoding.
        length_penalty: power of the length (end token included) that the log probability of a finished
            caption is divided by; 0 favours short captions, 1 compares means per word.
        no_repeat: so many words in a row never come twice in a caption (an n-gram block; 2 or 3 are usual,
            and 1 leaves no word twice, not even "a").
    """

    width: int = attrs.field(default=3, validator=ge(1))
    length_penalty: float = attrs.field(default=0.0, validator=ge(0.0))
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
        N, K = len(memory), self.width
        image = np.arange(N)[:, None]
        tokens = np.full((N, K, limit), end)
        log_probs = np.full((N, K), -np.inf)
        live = np.zeros((N, K), np.bool_)
        log_probs[:, 0], live[:, 0] = 0.0, True
        nothing = np.full((N, K), -np.inf)
        best: Ranked = tokens, nothing, nothing
        last = np.full(N, start)
        for t in range(limit):
            if not live.any():
                break
            scores, memory = step(last, memory)
            if self.no_repeat:
                block_repeats(scores, tokens[live, :t], self.no_repeat)
            gains, words = best_words(scores, K)
            J = gains.shape[1]
            totals = np.full((N, K, J), -np.inf)
            totals[live] = log_probs[live, None] + gains
            nexts = np.full((N, K, J), end)
            nexts[live] = words
            chosen = largest(totals.reshape(N, -1), K)
            parents = chosen // J
            rows = (np.cumsum(live).reshape(N, K) - 1)[image, parents]
            tokens = tokens[image, parents]
            log_probs = totals.reshape(N, -1)[image, chosen]
            tokens[:, :, t] = nexts.reshape(N, -1)[image, chosen]
            done = (tokens[:, :, t] == end) | (t == limit - 1)
            if done.any():
                # What goes on ranks no higher than nothing, and is not put before it.
                ranks = np.where(done, log_probs / (t + 1) ** self.length_penalty, -np.inf)
                best = best_of(best, (tokens, log_probs, ranks))
            # Log probabilities only fall, and are divided by no more than that of the limit.
            hopes = log_probs / limit**self.length_penalty
            live = ~done & (hopes > best[2][:, -1:])
            last, memory = tokens[live, t], memory.take(rows[live])
        return finished(best[0], best[1], end)


Ranked = tuple[Ints, Array, Array]
"""Captions of N images: tokens (N, K, limit), log probabilities and ranks (N, K); -inf ranks for none."""


def best_of(some: Ranked, others: Ranked) -> Ranked:
    """The K of highest rank of K and K captions, best first; of equal ones those of `some` first."""
    tokens, log_probs, ranks = (
        np.concatenate(pair, axis=1) for pair in zip(some, others, strict=True)
    )
    order = largest(ranks, some[2].shape[1])
    image = np.arange(len(ranks))[:, None]
    return tokens[image, order], log_probs[image, order], ranks[image, order]


def largest(values: Array, k: int) -> Ints:
    """The columns of the k largest of each row, largest first; the first of equal ones."""
    columns: Ints = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return columns


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
