"""The n-grams of texts as numbers, so that NumPy can count them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Words

_WORD: Final = 1 << 31
"""More than there are words: an n-gram is the number of its first n - 1 words times this, and its last word."""


@attrs.frozen(eq=False)
class Counted:
    """How often each n-gram of one length stands in each of some texts; by text, then by n-gram.

    Attributes:
        texts: (k,).
        grams: (k,), the n-gram's number.
        counts: (k,), 1 or more.
    """

    texts: Ints
    grams: Ints
    counts: Ints


@attrs.frozen(eq=False)
class NGrams:
    """The n-grams of some texts, those of each length numbered from 0.

    Attributes:
        sizes: of each length, how many there are; n-grams of other texts have numbers from there on.
    """

    sizes: tuple[int, ...]
    _words: Mapping[str, int]
    _tables: tuple[Ints, ...]

    @staticmethod
    def of(texts: Sequence[Words], longest: int) -> tuple[NGrams, list[Counted]]:
        """The n-grams of texts up to this length, and how often each text has each."""
        words: dict[str, int] = {}
        tokens = [words.setdefault(word, len(words)) for text in texts for word in text]
        counted, tables = _count(tokens, texts, longest, None)
        return NGrams((len(words), *map(len, tables)), words, tuple(tables)), counted

    def count(self, texts: Sequence[Words]) -> list[Counted]:
        """How often each of other texts has each n-gram, of each length."""
        known, new = self._words, dict[str, int]()
        tokens = [
            known[word] if word in known else new.setdefault(word, len(known) + len(new))
            for text in texts
            for word in text
        ]
        return _count(tokens, texts, len(self.sizes), self._tables)[0]


def lengths_of(texts: Sequence[Words]) -> Ints:
    """The number of words of each text."""
    return np.fromiter(map(len, texts), np.int64, len(texts))


def ranges(begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """All whole numbers from begin[i] to before end[i], for each i, and the i that each of them is of."""
    sizes = end - begin
    of = np.repeat(np.arange(len(begin)), sizes)
    return np.arange(len(of)) + (begin - (np.cumsum(sizes) - sizes))[of], of


def sums(values: Array, places: Ints, count: int) -> Array:
    """(count,): the sum of the values of each place; of none, NumPy's own would be integers."""
    return np.bincount(places, values, count).astype(np.float64, copy=False)


def _count(
    tokens: Sequence[int], texts: Sequence[Words], longest: int, tables: Sequence[Ints] | None
) -> tuple[list[Counted], list[Ints]]:
    """The n-grams of each length, numbered by tables, or by those that are made of them."""
    words: Ints = np.array(tokens, np.int64)
    lengths = lengths_of(texts)
    of_text = np.repeat(np.arange(len(texts)), lengths)
    begins, grams = np.arange(len(words)), words
    counted, made = [_counted(of_text, grams)], []
    for n in range(2, longest + 1):
        end = begins + n - 1
        on = end < np.cumsum(lengths)[of_text[begins]]
        begins, pairs = begins[on], grams[on] * _WORD + words[end[on]]
        if tables is None:
            table, grams = np.unique(pairs, return_inverse=True)
            made.append(table)
        else:
            grams = _numbered(pairs, tables[n - 2])
        counted.append(_counted(of_text[begins], grams))
    return counted, made


def _numbered(pairs: Ints, table: Ints) -> Ints:
    """The place of each in a table that rises; those that it lacks are numbered on, the same ones alike."""
    place = np.searchsorted(table, pairs)
    lacks = place == len(table)
    lacks[~lacks] = table[place[~lacks]] != pairs[~lacks]
    place[lacks] = len(table) + np.unique(pairs[lacks], return_inverse=True)[1]
    return place


def _counted(texts: Ints, grams: Ints) -> Counted:
    span = int(grams.max(initial=0)) + 1
    places, counts = np.unique(texts * span + grams, return_counts=True)
    return Counted(*np.divmod(places, span), counts)
