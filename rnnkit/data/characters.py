"""Captions of words as captions of characters: `a red cat` is nine tokens, blanks included."""

from __future__ import annotations

from itertools import chain
from typing import Final

import attrs
import numpy as np

from rnnkit.data.dataset import Dataset
from rnnkit.data.vocabulary import BLANK, END, NULL, START, UNKNOWN, Vocabulary, characters
from rnnkit.kinds.arrays import Ints

ROWS: Final = 4096
"""Captions spelled out at once; each takes room for as many characters a word as the longest word has."""

NOTHING: Final = -1


def as_characters(dataset: Dataset) -> Dataset:
    """The same captions in characters.

    Words are spelled out with blanks between them; the word `<UNK>` becomes one token. The length is that
    of the longest caption, `<START>` and `<END>` included. Decoded captions are the same texts as before.

    Args:
        dataset: in words; one in characters comes back as it is. Both have the same open files.
    """
    if dataset.vocabulary.by_character:
        return dataset
    vocabulary = characters_of(dataset.vocabulary)
    speller = _Speller(dataset.vocabulary, vocabulary)
    length = max(speller.length(split.captions) for split in dataset.splits.values())
    splits = {
        name: attrs.evolve(split, captions=speller.spell(split.captions, length))
        for name, split in dataset.splits.items()
    }
    return attrs.evolve(dataset, vocabulary=vocabulary, splits=splits)


def characters_of(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary of all characters in another's words: the special words, then the characters sorted.

    The blank is always among them. One of characters comes back as it is.
    """
    if vocabulary.by_character:
        return vocabulary
    special = [NULL, START, END, *([] if vocabulary.unknown is None else [UNKNOWN])]
    found = {BLANK, *chain.from_iterable(word for word in vocabulary.words if word not in special)}
    return Vocabulary.from_words([*special, *sorted(found)], joiner="")


class _Speller:
    """Spells captions (n, T) of words out by a table with a row for each word.

    A row has a blank and the characters of the word, filled up with NOTHING; those of `<START>` and `<END>`
    have only their token, and that of `<NULL>` has nothing.
    """

    def __init__(self, words: Vocabulary, vocabulary: Vocabulary) -> None:
        self._null = vocabulary.null
        self._blank = vocabulary.words.index(BLANK)
        tokens = {part: token for token, part in enumerate(vocabulary.words)}
        special = {NULL: [], START: [vocabulary.start], END: [vocabulary.end]}
        rows = [
            special[word]
            if word in special
            else [self._blank, *(tokens[part] for part in characters([word]))]
            for word in words.words
        ]
        self._table = np.full((len(rows), max(map(len, rows))), NOTHING, np.int32)
        for filled, row in zip(self._table, rows, strict=True):
            filled[: len(row)] = row

    def length(self, captions: Ints) -> int:
        """Tokens of the longest caption."""
        counts = np.count_nonzero(self._table != NOTHING, axis=1)[captions].sum(axis=1)
        counts -= self._table[captions[:, 1], 0] == self._blank
        return int(counts.max(initial=2))

    def spell(self, captions: Ints, length: int) -> Ints:
        """The captions in characters, (n, length), read-only."""
        spelled = np.full((len(captions), length), self._null, np.int32)
        for i in range(0, len(captions), ROWS):
            letters = self._table[captions[i : i + ROWS]]
            before = letters[:, 1, 0]  # a view: no blank stands before the first word
            before[before == self._blank] = NOTHING
            letters = letters.reshape(len(letters), -1)
            there = letters != NOTHING
            rows, _ = np.nonzero(there)
            spelled[i + rows, (there.cumsum(axis=1) - 1)[there]] = letters[there]
        spelled.flags.writeable = False
        return spelled
