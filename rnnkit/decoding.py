"""What decoders share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from rnnkit.kinds import Array, Decoded, Ints, Memory

M = TypeVar("M", bound=Memory)


def word_by_word(
    choose: Callable[[Array], Ints],
    step: Callable[[Ints, M], tuple[Array, M]],
    memory: M,
    start: int,
    end: int,
    limit: int,
) -> Decoded:
    """One caption for each row of `memory`, each word chosen for good; the rest as in `Decoder.decode`.

    Args:
        choose: log probabilities (n, V), not to be changed -> the next token of each row (n,). A token with
            log probability -inf means that the caption cannot go on.
    """
    tokens = np.full((len(memory), limit), end)
    log_probs = np.zeros(len(memory))
    live, last = np.arange(len(memory)), np.full(len(memory), start)
    for t in range(limit):
        if not len(live):
            break
        scores, memory = step(last, memory)
        last = choose(scores)
        gained = scores[np.arange(len(live)), last]
        tokens[live, t] = last
        log_probs[live] += gained
        on = np.flatnonzero((last != end) & (gained > -np.inf))
        if len(on) < len(live):
            live, last, memory = live[on], last[on], memory.take(on)
    return finished(tokens[:, None], log_probs[:, None], end)


def finished(tokens: Ints, log_probs: Array, end: int) -> Decoded:
    """The result of a decoder from tokens (N, K, limit), filled up with `end`, and log_probs (N, K).

    Whatever has log probability -inf is no caption, and becomes end tokens; the array is cut to the longest.
    """
    tokens = np.where(np.isneginf(log_probs)[..., None], end, tokens)
    ended = tokens == end
    lengths = np.where(ended.any(axis=-1), ended.argmax(axis=-1) + 1, tokens.shape[-1])
    return Decoded(tokens[..., : lengths.max(initial=0)], log_probs)
