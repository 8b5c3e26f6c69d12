"""The words that the network uses, beside those of people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import attrs

from rnnkit.captioning.images import Captioned
from rnnkit.metrics import tokenize

SHOWN: Final = 20
CONTRASTS: Final = 10

_LEAST: Final = 5
"""Times that a word is there before it is said to be there too often or too seldom."""


@attrs.frozen
class Frequency:
    """A word, and how often it is there among a thousand words of people and of the network."""

    word: str
    people: float
    network: float


@attrs.frozen
class Words:
    """Two vocabularies at work.

    Attributes:
        common: the words that people use most, most frequent first.
        greatest: the greatest number among these.
        more: words that the network uses more often than people, by their ratio.
        less: words that it uses less often, or never.
        network_words, people_words: different words used.
        network_length, people_length: words of a caption, on average.
        captions: by the network.
        different: texts among these.
    """

    common: tuple[Frequency, ...]
    greatest: float
    more: tuple[Frequency, ...]
    less: tuple[Frequency, ...]
    network_words: int
    people_words: int
    network_length: float
    people_length: float
    captions: int
    different: int


def compare_words(captions: Sequence[Captioned]) -> Words:
    """Count the words of captions, in lower case and without punctuation, of the network and of people."""
    network = Counter(word for one in captions for word in tokenize(one.caption))
    people = Counter(word for one in captions for text in one.truth for word in tokenize(text))
    by_people = sum(len(one.truth) for one in captions)
    said, wanted = network.total(), people.total()

    def frequency(word: str) -> Frequency:
        return Frequency(
            word, 1000 * people[word] / max(wanted, 1), 1000 * network[word] / max(said, 1)
        )

    common = tuple(frequency(word) for word, _ in people.most_common(SHOWN))

    def contrast(word: str) -> float:
        """How far a frequency is from the other: in standard deviations of the smaller count, or nearly."""
        here, there = network[word] / max(said, 1), people[word] / max(wanted, 1)
        return (here - there) / math.sqrt((here + there) * (1 / max(said, 1) + 1 / max(wanted, 1)))

    often = [w for w in people.keys() | network.keys() if people[w] + network[w] >= _LEAST]
    ranked = sorted(often, key=lambda word: (contrast(word), word))
    return Words(
        common=common,
        greatest=max((max(f.people, f.network) for f in common), default=1.0) or 1.0,
        more=tuple(frequency(w) for w in reversed(ranked[-CONTRASTS:]) if contrast(w) > 2),
        less=tuple(frequency(w) for w in ranked[:CONTRASTS] if contrast(w) < -2),
        network_words=len(network),
        people_words=len(people),
        network_length=said / max(len(captions), 1),
        people_length=wanted / max(by_people, 1),
        captions=len(captions),
        different=len({one.caption for one in captions}),
    )
