"""Words out of captions, and the vocabulary of those that are frequent enough."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import rnnkit.metrics
from rnnkit.data.vocabulary import END, NULL, PLAIN, PTB, START, UNKNOWN, Vocabulary
from rnnkit.system.unicode import composed, invisible


def tokenize(caption: str) -> list[str]:
    """The words of a caption: lower case, punctuation removed, split on blanks.

    Punctuation is removed and not replaced, so that "dog's" is the word "dogs" and "t-shirt" is "tshirt". It is
    ASCII's, signs such as $ and + included, and Unicode's. So are control and format characters, such as soft
    hyphens and marks of direction. A zero-width space parts words, as it does in Thai. Joiners (U+200C and U+200D)
    stay between letters of scripts that spell with them, such as Persian and Sinhala. Words are in Unicode's
    normalization form C.
    """
    text = composed(composed(caption).lower()).translate(_WITHOUT_PUNCTUATION)
    return _USELESS_JOINER.sub("", text).split()


def words_of(caption: str, cut: str) -> list[str]:
    """The words of a caption as it was written, cut in the way of a vocabulary."""
    return rnnkit.metrics.tokenize(caption) if cut == PTB else tokenize(caption)


def build_vocabulary(
    captions: Iterable[Sequence[str]], min_count: int, cut: str = PLAIN
) -> Vocabulary:
    """`<NULL>`, `<START>`, `<END>`, `<UNK>`, then the words that occur at least `min_count` times.

    Frequent words come first, and words that are equally frequent in alphabetical order.

    Args:
        captions: the words of each.
        min_count: rarer words are left to `<UNK>`.
        cut: how captions were cut into words.
    """
    counts = Counter(word for words in captions for word in words)
    frequent = [word for word, count in counts.items() if count >= min_count]
    frequent.sort(key=lambda word: (-counts[word], word))
    return Vocabulary.from_words([NULL, START, END, UNKNOWN, *frequent], cut=cut)


class _WithoutPunctuation(dict[int, int | None]):
    """A table for `str.translate` that learns each character when it first meets it."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if _is_left_out(chr(code)) else code
        return self[code]


def _is_left_out(character: str) -> bool:
    return (
        character in string.punctuation
        or unicodedata.category(character).startswith("P")
        or (invisible(character) and not character.isspace())
    )


_WITHOUT_PUNCTUATION = _WithoutPunctuation(
    {0x200B: 0x20, 0x200C: 0x200C, 0x200D: 0x200D, 0xFE0E: None, 0xFE0F: None}
)
"""The last two ask for a picture, or for none, and are no part of a word."""

_JOINED = "\u0620-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af"
"""Letters and marks of scripts that spell with joiners: Arabic to Mandaic, the Indic ones, Burmese, Khmer, Mongolian."""

_USELESS_JOINER = re.compile(f"(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])")
