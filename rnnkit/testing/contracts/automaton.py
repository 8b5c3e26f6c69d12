"""Networks for decoders to write captions from, of which everything is known: finite automata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Array, Decoded, Decoder, DType, Ints, Memory, Rng
from rnnkit.testing.example import Broken

ENDED: Final = 0
"""The state after an end token: its scores invite the decoder to go on, and it must not."""

Caption = tuple[int, ...]


@attrs.frozen
class States(Memory):
    """A memory that holds the state of each row."""

    of_rows: Ints

    def __len__(self) -> int:
        return len(self.of_rows)

    def take(self, rows: Ints) -> States:
        given: object = rows
        if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype.kind not in "iu":
            shown = f"{type(given).__name__} {given!r}"
            raise Broken("memory", f"memory.take is given {shown}, not a vector of row numbers")
        if np.any((rows < 0) | (rows >= len(self))):
            raise Broken(
                "memory",
                f"memory.take is given rows {rows.tolist()}, and the memory has {len(self)} rows",
            )
        return States(self.of_rows[rows])


@attrs.frozen
class Automaton:
    """S states, V tokens, N images.

    Attributes:
        log_probs: (S, V), of the next token in each state.
        after: (S, V), the state that follows.
        first: (N,), the state of each image before the start token.
        start: the token that captions begin with.
        end: the token that ends them.
    """

    log_probs: Array
    after: Ints
    first: Ints
    start: int
    end: int

    def step(self, tokens: Ints, memory: States) -> tuple[Array, States]:
        """The step function that a decoder gets."""
        given: object = tokens
        if not isinstance(given, np.ndarray) or given.dtype.kind not in "iu":
            shown = f"{type(given).__name__} {given!r}"
            raise Broken("step", f"step is given {shown}, not an array of tokens")
        if tokens.shape != (len(memory),):
            raise Broken(
                "step",
                f"step is given tokens of shape {tokens.shape} with a memory of {len(memory)} rows: one "
                "token for each row, in the same order",
            )
        words = self.log_probs.shape[1]
        if np.any((tokens < 0) | (tokens >= words)):
            raise Broken(
                "step", f"step is given tokens {tokens.tolist()} of a vocabulary of {words}"
            )
        states = self.after[memory.of_rows, tokens]
        return self.log_probs[states], States(states)

    def score(self, image: int, caption: Caption) -> tuple[float, int | None]:
        """The log probability of a caption, and the first token in it that must not appear."""
        state, total = self.after[self.first[image], self.start], 0.0
        for token in caption:
            gain = float(self.log_probs[state, token])
            if gain == -np.inf:
                return gain, token
            total += gain
            state = self.after[state, token]
        return total, None

    def image(self, i: int) -> Automaton:
        """The same network with one image."""
        return attrs.evolve(self, first=self.first[i : i + 1])

    def decode(self, decoder: Decoder, limit: int, rng: Rng) -> Decoded:
        """What the decoder writes, its form checked."""
        memory = States(self.first)
        decoded = decoder.decode(self.step, memory, self.start, self.end, limit, rng)
        _check_form(decoded, len(self.first), limit, self.end)
        return decoded


def _check_form(decoded: object, images: int, limit: int, end: int) -> None:
    """Shapes, types, ends, and rows without a caption."""
    if not isinstance(decoded, Decoded):
        raise Broken("shapes", f"decode returns {type(decoded).__name__}, not rnnkit.kinds.Decoded")
    tokens, log_probs = np.asarray(decoded.tokens), np.asarray(decoded.log_probs)
    if tokens.ndim != 3 or log_probs.shape != tokens.shape[:2] or len(tokens) != images:
        raise Broken(
            "shapes",
            f"for N={images} images tokens has shape {tokens.shape} and log_probs {log_probs.shape}, "
            "where (N, K, L) and (N, K) are expected",
        )
    if tokens.dtype.kind not in "iu" or log_probs.dtype.kind != "f":
        raise Broken(
            "types",
            f"tokens is {tokens.dtype} and log_probs {log_probs.dtype}, where whole numbers and floats "
            "are expected",
        )
    if not 1 <= tokens.shape[2] <= limit:
        raise Broken(
            "limit",
            f"captions have {tokens.shape[2]} tokens where the limit is {limit}, end included",
        )
    behind = np.cumsum(tokens == end, axis=2) - (tokens == end) > 0
    if np.any(behind & (tokens != end)):
        n, k = (int(i[0]) for i in np.nonzero((behind & (tokens != end)).any(axis=2)))
        raise Broken(
            "end",
            f"a caption goes on after its end token {end}: {tokens[n, k].tolist()}; only end tokens may "
            "follow",
        )
    found = log_probs > -np.inf
    if log_probs.shape[1] == 0 or not found[:, 0].all() or np.any(found[:, 1:] > found[:, :-1]):
        raise Broken(
            "best first",
            f"the log probabilities of the captions of each image are {log_probs.tolist()}: the best comes "
            "first, and rows without a caption, of -inf, last",
        )


def caption_of(row: Ints, end: int) -> Caption:
    """A row of tokens up to its first end token, that included."""
    tokens: list[int] = row.tolist()
    return tuple(tokens[: tokens.index(end) + 1] if end in tokens else tokens)


def captions_of(decoded: Decoded, image: int, end: int) -> list[tuple[Caption, float]]:
    """The captions of an image with their log probabilities, without the rows that are none."""
    rows = zip(decoded.tokens[image], decoded.log_probs[image].tolist(), strict=True)
    return [(caption_of(row, end), p) for row, p in rows if p > -np.inf]


def start_and_end(rng: Rng, words: int) -> tuple[int, int, list[int]]:
    """A start token, an end token, and the others."""
    start, end, *others = rng.permutation(words).tolist()
    return start, end, others


def random_automaton(rng: Rng, images: int, words: int, dtype: DType) -> Automaton:
    """Scores that depend on all that came before; some tokens must not appear, the start never."""
    states = 1 + 60 * images
    start, end, others = start_and_end(rng, words)
    z = 1.5 * rng.standard_normal((states, words))
    z[rng.random(z.shape) < 0.2] = -np.inf
    z[:, start] = -np.inf
    z[:, end] = rng.standard_normal(states)
    z[:, others[0]] = rng.standard_normal(states)
    z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
    after = rng.integers(1, states, (states, words))
    after[:, end] = ENDED
    _invite(z, after, others[0])
    first = 1 + rng.permutation(states - 1)[:images]
    return Automaton(z.astype(dtype), after, first, start, end)


def guided_automaton(
    captions: Sequence[Caption], probability: float, start: int, end: int, words: int
) -> Automaton:
    """Each image has a caption, and each token of it this probability, whatever went before.

    The rest goes to the other words evenly; at the place of an end token there is nothing else.
    """
    length = max(map(len, captions))
    z = np.full((1 + len(captions) * (length + 1), words), -np.inf)
    after = np.repeat(np.arange(1, len(z) + 1)[:, None] % len(z), words, axis=1)
    after[:, end] = ENDED
    first = 1 + np.arange(len(captions)) * (length + 1)
    others = [v for v in range(words) if v not in (start, end)]
    for state, caption in zip(first.tolist(), captions, strict=True):
        # The start token leads from the first state to the next, whose scores are those of the first word.
        for token in caption:
            state += 1
            if token != end and probability < 1.0:
                z[state, others] = np.log((1.0 - probability) / (len(others) - 1))
            z[state, token] = 0.0 if token == end else np.log(probability)
    _invite(z, after, others[0])
    return Automaton(z, after, first, start, end)


def _invite(log_probs: Array, after: Ints, word: int) -> None:
    """Make a word likely behind an end token; not certain, so that going on shows in the log probability."""
    log_probs[ENDED] = np.log(0.1 / (log_probs.shape[1] - 1))
    log_probs[ENDED, word] = np.log(0.9)
    after[ENDED] = ENDED
