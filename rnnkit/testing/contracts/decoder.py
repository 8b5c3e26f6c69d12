"""Decoders: on networks of which everything is known, they give captions that are what they say."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Decoder, DType, Rng
from rnnkit.testing.contracts.automaton import (
    Automaton,
    Caption,
    States,
    captions_of,
    guided_automaton,
    random_automaton,
    start_and_end,
)
from rnnkit.testing.contracts.contract import Contract
from rnnkit.testing.example import Broken, equal_bits

DTYPES: Final[tuple[DType, ...]] = (np.dtype(np.float64), np.dtype(np.float32))
IMAGES: Final = 6
WORDS: Final = 8
LIMITS: Final = (1, 2, 5, 11)
MANY: Final = 300
LONG: Final = 35
"""A vocabulary and a limit as of captions that people write."""

ROUNDING: Final = 1e-5
"""Of a log probability; decoders may add up in float32."""


def decoder_contracts(plugin: Decoder) -> Iterator[Contract]:
    """The contracts of one decoder."""
    yield Contract("forced", partial(_writes_what_is_certain, plugin))
    yield Contract("captions", partial(_says_how_likely_they_are, plugin))
    yield Contract("best first", partial(_puts_the_best_first, plugin))
    yield Contract("repeatable", partial(_repeats, plugin))
    yield Contract("images apart", partial(_sees_one_image, plugin))
    yield Contract("no images", partial(_takes_none, plugin))
    yield Contract("many words", partial(_has_many_words, plugin))


def _writes_what_is_certain(plugin: Decoder, rng: Rng) -> None:
    start, end, others = start_and_end(rng, WORDS)
    # From the end token alone to a caption that the limit cuts off; no word comes twice.
    words = [tuple(rng.permutation(others)[:n].tolist()) for n in range(IMAGES)]
    _is_forced(plugin, words, start, end, rng)
    _is_forced(plugin, words, end, start, rng)


def _has_many_words(plugin: Decoder, rng: Rng) -> None:
    """Captions of up to LONG words of a vocabulary of MANY."""
    start, end, others = start_and_end(rng, MANY)
    lengths = (LONG + 2, LONG - 1, LONG, 5)
    words = [tuple(rng.permutation(others)[:n].tolist()) for n in lengths]
    _is_forced(plugin, words, start, end, rng, MANY, LONG)


def _is_forced(
    plugin: Decoder,
    words: Sequence[Caption],
    start: int,
    end: int,
    rng: Rng,
    vocabulary: int = WORDS,
    limit: int = IMAGES - 2,
) -> None:
    captions = [(*w, end) for w in words]
    network = guided_automaton(captions, 1.0, start, end, vocabulary)
    decoded = network.decode(plugin, limit, rng)
    for image, whole in enumerate(captions):
        want = whole[:limit]
        for got, log_prob in captions_of(decoded, image, end):
            if got != want or not abs(log_prob) <= ROUNDING:
                raise Broken(
                    "forced",
                    f"the caption is {_shown(got, log_prob)}, but must be {_shown(want, 0.0)}: all other "
                    f"tokens have -inf (start is {start}, end {end}, limit {limit})",
                )


def _says_how_likely_they_are(plugin: Decoder, rng: Rng) -> None:
    for limit in LIMITS:
        for dtype in DTYPES:
            network = random_automaton(rng, IMAGES, WORDS, dtype)
            decoded = network.decode(plugin, limit, rng)
            for image in range(IMAGES):
                for caption, log_prob in captions_of(decoded, image, network.end):
                    _rescore(network, image, caption, log_prob)


def _rescore(network: Automaton, image: int, caption: Caption, log_prob: float) -> None:
    want, forbidden = network.score(image, caption)
    if forbidden is not None:
        raise Broken(
            "forbidden token",
            f"{_shown(caption, log_prob)} holds the token {forbidden}, which has -inf there: it must not "
            "appear, and each row's memory must follow its caption",
        )
    if not abs(log_prob - want) <= ROUNDING * max(1.0, abs(want)):
        raise Broken(
            "log probabilities",
            f"{_shown(caption, log_prob)} has log probability {want:.6g} in the network: return the sum "
            "over its tokens, the end token included, not divided by a temperature or a length; and each row's "
            "memory must follow its caption",
        )


def _puts_the_best_first(plugin: Decoder, rng: Rng) -> None:
    start, end, others = start_and_end(rng, WORDS)
    captions = [(*rng.permutation(others)[:2].tolist(), end) for _ in range(2 * IMAGES)]
    network = guided_automaton(captions, 0.9, start, end, WORDS)
    decoded = network.decode(plugin, 3, rng)
    for image, best in enumerate(captions):
        found = captions_of(decoded, image, end)
        if found[0][0] != best and best in [caption for caption, _ in found]:
            raise Broken(
                "best first",
                f"{_shown(*found[0])} comes before {best}, which has log probability "
                f"{network.score(image, best)[0]:.6g} and is just as long",
            )


def _repeats(plugin: Decoder, rng: Rng) -> None:
    network, other = (random_automaton(rng, IMAGES, WORDS, DTYPES[0]) for _ in range(2))
    first = network.decode(plugin, LIMITS[-1], copy.deepcopy(rng))
    for again in (plugin, plugin, attrs.evolve(plugin)):  # type: ignore[misc]  # all are attrs classes
        decoded = network.decode(again, LIMITS[-1], copy.deepcopy(rng))
        if not (
            np.array_equal(first.tokens, decoded.tokens)
            and equal_bits(first.log_probs, decoded.log_probs)
        ):
            raise Broken(
                "repeatable",
                "the same network and seed give other captions the second time: "
                "`rng` must be the only source of randomness, and nothing may be kept between calls",
            )
        other.decode(plugin, 3, copy.deepcopy(rng))


def _sees_one_image(plugin: Decoder, rng: Rng) -> None:
    network = random_automaton(rng, IMAGES, WORDS, DTYPES[0])
    untouched = copy.deepcopy(rng)
    together = network.decode(plugin, LIMITS[-1], rng)
    if _draws(untouched, rng):
        return  # what is drawn for an image may depend on how many come before it
    for image in range(IMAGES):
        want = captions_of(together, image, network.end)
        got = captions_of(network.image(image).decode(plugin, LIMITS[-1], rng), 0, network.end)
        same = [c for c, _ in got] == [c for c, _ in want]
        if not (same and np.allclose([p for _, p in got], [p for _, p in want], ROUNDING)):
            raise Broken(
                "images apart",
                f"image {image} alone has {[_shown(*c) for c in got]}, and among {IMAGES} images it has "
                f"{[_shown(*c) for c in want]}: images must not affect each other",
            )


def _takes_none(plugin: Decoder, rng: Rng) -> None:
    network = random_automaton(rng, IMAGES, WORDS, DTYPES[0])
    nobody = States(network.first[:0])
    decoded = plugin.decode(network.step, nobody, network.start, network.end, LIMITS[-1], rng)
    tokens, log_probs = np.asarray(decoded.tokens), np.asarray(decoded.log_probs)
    if tokens.ndim != 3 or len(tokens) or log_probs.shape != tokens.shape[:2]:
        raise Broken(
            "no images",
            f"for no images (a memory without rows), tokens has shape {tokens.shape} and log_probs {log_probs.shape}, "
            "where (0, K, L) and (0, K) are expected",
        )


def _draws(before: Rng, after: Rng) -> bool:
    """Whether a generator was drawn from: its state tells, where captions may be the same by chance."""
    seeds = (before.bit_generator.seed_seq, after.bit_generator.seed_seq)
    spawned = [getattr(seed, "n_children_spawned", 0) for seed in seeds]
    return spawned[0] != spawned[1] or repr(before.bit_generator.state) != repr(
        after.bit_generator.state
    )


def _shown(caption: Caption, log_prob: float) -> str:
    return f"{caption} with log_prob {log_prob:.6g}"
