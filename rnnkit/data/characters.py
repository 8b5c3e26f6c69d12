"""Captions of words as captions of characters: `a red cat` is nine tokens, blanks included."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final

import attrs
import numpy as np

from rnnkit.data.dataset import Dataset
from rnnkit.data.references import has_written, read_written
from rnnkit.data.tokenizer import words_of
from rnnkit.data.vocabulary import (
    BLANK,
    END,
    NULL,
    PTB,
    START,
    UNKNOWN,
    WRITTEN,
    Vocabulary,
    characters,
)
from rnnkit.kinds.arrays import Ints
from rnnkit.metrics.tokenizer import join

ROWS: Final = 4096
"""Captions spelled out at once; each takes room for as many characters a word as the longest word has."""

NOTHING: Final = -1


def as_characters(dataset: Dataset, vocabulary: Vocabulary | None = None) -> Dataset:
    """The same captions in characters.

    Words are spelled out with blanks between them, or as a text if they were cut as "ptb". A word that is `<UNK>` is
    spelled as it was written, where the folder has the captions as they were written (`captions_{split}.json`);
    else it becomes one token. So does a character that train's captions do not have. The length is that of the
    longest caption, `<START>` and `<END>` included.

    Args:
        dataset: in words; one in characters comes back as it is. Both have the same open files.
        vocabulary: the characters of a model; those of the data if left open.
    """
    words = dataset.vocabulary
    if words.by_character:
        return dataset
    written = has_written(dataset) if vocabulary is None else vocabulary.cut == WRITTEN
    texts = {name: _texts(dataset, name) if written else {} for name in dataset.splits}
    if vocabulary is None:
        vocabulary = characters_of(words)
        if written:
            vocabulary = _with(vocabulary, texts[next(iter(texts))].values())
    spelled = {
        name: {row: vocabulary.encode(text) for row, text in of_split.items()}
        for name, of_split in texts.items()
    }
    speller = _Speller(words, vocabulary)
    others = {
        name: np.setdiff1d(np.arange(len(split.captions)), [*spelled[name]])
        for name, split in dataset.splits.items()
    }
    length = max(
        max(
            speller.length(split.captions[others[name]]),
            max(map(len, spelled[name].values()), default=0),
        )
        for name, split in dataset.splits.items()
    )
    splits = {}
    for name, split in dataset.splits.items():
        captions = np.full((len(split.captions), length), vocabulary.null, np.int32)
        captions[others[name]] = speller.spell(split.captions[others[name]], length)
        for row, tokens in spelled[name].items():
            captions[row, : len(tokens)] = tokens
        captions.flags.writeable = False
        splits[name] = attrs.evolve(split, captions=captions)
    return attrs.evolve(dataset, vocabulary=vocabulary, splits=splits)


def _texts(dataset: Dataset, split: str) -> dict[int, str]:
    """The texts of the captions that cannot be spelled word by word from their tokens; row -> text.

    They have as many words as the caption has tokens. A caption whose words do not have its tokens is left to them.
    """
    vocabulary, length = dataset.vocabulary, dataset.length
    captions = dataset.split(split).captions
    unknown = -1 if vocabulary.unknown is None else vocabulary.unknown
    texts: dict[int, str] = {}
    if vocabulary.cut == PTB:
        texts = {row: vocabulary.decode(tokens) for row, tokens in enumerate(captions)}
    incomplete = np.flatnonzero((captions == unknown).any(axis=1))
    written = read_written(dataset, split) if len(incomplete) else {}
    for row in incomplete.tolist():
        if row in written:
            words = words_of(written[row], vocabulary.cut)[: length - 2]
            if np.array_equal(vocabulary.encode_words(words, length), captions[row]):
                texts[row] = join(words) if vocabulary.cut == PTB else BLANK.join(words)
    return texts


def _with(vocabulary: Vocabulary, texts: Iterable[str]) -> Vocabulary:
    """The vocabulary of characters, with those of these texts, too."""
    special = [w for w in vocabulary.words if len(w) > 1]
    found = {*vocabulary.words, *chain.from_iterable(texts)} - {*special}
    return Vocabulary.from_words([*special, *sorted(found)], joiner="", cut=WRITTEN)


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
        unknown = NOTHING if vocabulary.unknown is None else vocabulary.unknown
        special = {NULL: [], START: [vocabulary.start], END: [vocabulary.end]}
        rows = [
            special[word]
            if word in special
            else [
                self._blank,
                *(tokens.get(part, unknown) for part in characters([word])),
            ]
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
        """The captions in characters, (n, length)."""
        spelled = np.full((len(captions), length), self._null, np.int32)
        for i in range(0, len(captions), ROWS):
            letters = self._table[captions[i : i + ROWS]]
            before = letters[:, 1, 0]  # a view: no blank stands before the first word
            before[before == self._blank] = NOTHING
            letters = letters.reshape(len(letters), -1)
            there = letters != NOTHING
            rows, _ = np.nonzero(there)
            spelled[i + rows, (there.cumsum(axis=1) - 1)[there]] = letters[there]
        return spelled
