"""What decoders share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rnnkit.kinds.arrays import Array, Ints
from rnnkit.kinds.decoder import Decoded, M


def word_by_word(
    choose: Callable[[Array], Ints],
    step: Callable[[Ints, M], tuple[Array, M]],
    memory: M,
    start: int,
    end: int,
    limit: int,
    no_repeat: int | None = None,
) -> Decoded:
    """One caption for each row of `memory`, each word chosen for good; the rest as in `Decoder.decode`.

    Args:
        choose: log probabilities (n, V), not to be changed -> the next token of each row (n,). A token with
            log probability -inf means that the caption cannot go on.
        no_repeat: size of what `block_repeats` blocks, if anything.
    """
    tokens = np.full((len(memory), limit), end)
    log_probs = np.zeros(len(memory))
    live, last = np.arange(len(memory)), np.full(len(memory), start)
    rows = live
    for t in range(limit):
        if not len(live):
            break
        scores, memory = step(last, memory)
        if no_repeat:
            block_repeats(scores, tokens[live, :t], no_repeat)
        last = choose(scores)
        gained = scores[rows, last]
        tokens[live, t] = last
        log_probs[live] += gained
        goes_on = (last != end) & (gained > -np.inf)
        if not goes_on.all():
            on = np.flatnonzero(goes_on)
            live, last, rows = live[on], last[on], rows[: len(on)]
            memory = memory.take(on) if len(on) else memory
    return finished(tokens[:, None], log_probs[:, None], end)


def block_repeats(log_probs: Array, written: Ints, size: int) -> None:
    """Give -inf to every token that would be the last of `size` tokens which stand in a row already.

    What else may come keeps its log probability. The end token is never blocked, for it stands nowhere yet.

    Paulus, Xiong & Socher, "A deep reinforced model for abstractive summarization" (2018), section 2.5.

    Args:
        log_probs: (n, V), of the next token of each row; changed in place.
        written: (n, t), the tokens of each row so far, without the start token.
        size: at least 1, which blocks every token that has been written.
    """
    t = written.shape[1]
    if t < size:
        return
    runs = sliding_window_view(written, size, axis=1)  # (n, t - size + 1, size)
    again = (runs[:, :, :-1] == written[:, None, t - size + 1 :]).all(axis=2)
    rows, places = np.nonzero(again)
    log_probs[rows, runs[rows, places, -1]] = -np.inf


def finished(tokens: Ints, log_probs: Array, end: int) -> Decoded:
    """The result of a decoder from tokens (N, K, limit), filled up with `end`, and log_probs (N, K).

    Whatever has log probability -inf is no caption, and becomes end tokens; the array is cut to the longest.
    """
    tokens = np.where(np.isneginf(log_probs)[..., None], end, tokens)
    ended = tokens == end
    lengths = np.where(ended.any(axis=-1), ended.argmax(axis=-1) + 1, tokens.shape[-1])
    return Decoded(tokens[..., : lengths.max(initial=0)], log_probs)
