"""Words out of captions, and the vocabulary of those that are frequent enough."""

from __future__ import annotations

import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from rnnkit.data.vocabulary import END, NULL, START, UNKNOWN, Vocabulary


def tokenize(caption: str) -> list[str]:
    """The words of a caption: lower case, punctuation removed, split on blanks.

    Punctuation is removed and not replaced, so that "dog's" is the word "dogs" and "t-shirt" is "tshirt". It is
    ASCII's, signs such as $ and + included, and Unicode's.
    """
    return caption.lower().translate(_WITHOUT_PUNCTUATION).split()


def build_vocabulary(captions: Iterable[Sequence[str]], min_count: int) -> Vocabulary:
    """`<NULL>`, `<START>`, `<END>`, `<UNK>`, then the words that occur at least `min_count` times.

    Frequent words come first, and words that are equally frequent in alphabetical order.

    Args:
        captions: the words of each.
        min_count: rarer words are left to `<UNK>`.
    """
    counts = Counter(word for words in captions for word in words)
    frequent = [word for word, count in counts.items() if count >= min_count]
    frequent.sort(key=lambda word: (-counts[word], word))
    return Vocabulary.from_words([NULL, START, END, UNKNOWN, *frequent])


class _WithoutPunctuation(dict[int, int | None]):
    """A table for `str.translate` that learns each character when it first meets it."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if _is_punctuation(chr(code)) else code
        return self[code]


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


_WITHOUT_PUNCTUATION = _WithoutPunctuation()
