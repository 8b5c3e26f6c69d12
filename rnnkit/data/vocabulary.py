"""Words, or characters, and tokens: index i of the vocabulary is token i."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import attrs
import numpy as np

from rnnkit.data.mistakes import Mistakes
from rnnkit.data.texts import read_json
from rnnkit.errors import DataError, listed, quoted
from rnnkit.kinds.arrays import Ints
from rnnkit.metrics.tokenizer import join, tokenize
from rnnkit.system.limits import WIDEST
from rnnkit.system.unicode import composed

NULL, START, END, UNKNOWN = "<NULL>", "<START>", "<END>", "<UNK>"

BLANK = " "

PLAIN: Final = "plain"
PTB: Final = "ptb"
WRITTEN: Final = "written"
CUTS: Final = (PLAIN, PTB, WRITTEN)
"""How captions become the words or characters of a vocabulary."""


def _composed(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(composed, words))


@attrs.frozen
class Vocabulary:
    """The words a network can read and write.

    Attributes:
        words: every word, the special ones included; its index is its token. They may be characters. They are
            as the file has them, but two spellings of one text in Unicode are equal.
        null: token of `<NULL>`, which fills a caption up to the common length.
        start: token of `<START>`.
        end: token of `<END>`.
        unknown: token of `<UNK>`, which stands for rare words; None if there is none.
        joiner: what stands between the words of a caption: a blank, or nothing if they are characters.
        cut: how captions are cut into them: "plain", as `rnnkit.data.tokenizer` does, or "ptb", as
            `rnnkit.metrics.tokenize` does. Characters are "written" if they are those of the captions as they
            were written, and "plain" if they are those of a vocabulary's words.
    """

    words: tuple[str, ...] = attrs.field(repr=False, eq=_composed)
    null: int
    start: int
    end: int
    unknown: int | None
    joiner: str = BLANK
    cut: str = PLAIN
    _tokens: Mapping[str, int] = attrs.field(init=False, repr=False, eq=False)

    @_tokens.default
    def _number_words(self) -> Mapping[str, int]:
        tokens: dict[str, int] = {}
        for token, word in enumerate(self.words):
            tokens.setdefault(composed(word), token)
        return tokens

    @classmethod
    def from_words(
        cls,
        words: Sequence[str],
        source: str = "the vocabulary",
        joiner: str = BLANK,
        cut: str = PLAIN,
    ) -> Self:
        """The vocabulary with these words in this order.

        Args:
            words: all different, `<NULL>`, `<START>` and `<END>` among them.
            source: what errors call it, such as the file it was read from.
            joiner: what stands between them in a caption.
            cut: how captions are cut into them.

        Raises:
            DataError: a word is there twice, a special word is missing, or there is no such way to cut.
        """
        if len(words) > WIDEST:
            raise DataError(f"{source} has {len(words):,} words, but {WIDEST:,} are the most")
        tokens: dict[str, int] = {}
        twice = []
        for token, word in enumerate(words):
            first = tokens.setdefault(word, token)
            if first != token:
                twice.append(f"{quoted(word)} twice, as tokens {first} and {token}")
        if twice:
            raise DataError(
                f"{source} has the word {listed(twice)}; every word must have one token"
            )
        if cut not in CUTS:
            raise DataError(
                f"{source} has words that were cut as {quoted(cut)}, but this rnnkit knows {listed(CUTS)}"
            )
        if joiner not in (BLANK, ""):
            raise DataError(
                f"{source} has words that are joined by {quoted(joiner)}, but a blank or nothing joins words"
            )
        missing = [word for word in (NULL, START, END) if word not in tokens]
        if missing:
            raise DataError(
                f"{source} lacks {' and '.join(missing)} among its {len(words)} words; "
                f"captions cannot be read without {NULL}, {START} and {END}"
            )
        return cls(
            tuple(words),
            tokens[NULL],
            tokens[START],
            tokens[END],
            tokens.get(UNKNOWN),
            joiner,
            cut,
        )

    @classmethod
    def standard(cls, size: int) -> Self:
        """`size` words for a network that has no data yet: `<NULL>`, `<START>`, `<END>`, `<UNK>` as
        tokens 0 to 3, then placeholders.

        Raises:
            DataError: `size` is less than 4.
        """
        special = (NULL, START, END, UNKNOWN)
        if size < len(special):
            raise DataError(
                f"a vocabulary of {size} words is too small; {', '.join(special)} alone "
                f"are {len(special)}"
            )
        return cls.from_words([*special, *(f"word{i}" for i in range(len(special), size))])

    def __len__(self) -> int:
        return len(self.words)

    @property
    def by_character(self) -> bool:
        """Whether its tokens are characters rather than words."""
        return not self.joiner

    def difference(self, other: Vocabulary) -> str:
        """Where the words part from those of another vocabulary, for a sentence; empty if they do not."""
        if self.by_character != other.by_character:
            return "one spells captions out, the other does not"
        sizes = f"{len(self)} of them, not {len(other)}" if len(self) != len(other) else ""
        pairs = enumerate(zip(self.words, other.words, strict=False))
        first = next((f"token {t} is {a!r}, not {b!r}" for t, (a, b) in pairs if a != b), "")
        return "; ".join(filter(None, [sizes, first]))

    def encode(self, caption: str, length: int | None = None) -> Ints:
        """`<START>`, the caption's words or characters, and `<END>` as tokens.

        Args:
            caption: prepared like the vocabulary's words (case, punctuation), which are split on blanks; but any
                text if they are cut as "ptb".
            length: cut after `length - 2` of them, or fill with `<NULL>`, to this many tokens (at least 2).

        Returns:
            (length,), or as long as it takes; int32.

        Raises:
            DataError: a word is not in the vocabulary, and neither is `<UNK>`.
        """
        words = tokenize(caption) if self.cut == PTB else composed(caption).split()
        if self.by_character:
            words = characters(words)
        return self.encode_words(words, length)

    def encode_words(self, words: Sequence[str], length: int | None = None) -> Ints:
        """The same of a caption that is cut into words or characters already."""
        if length is not None:
            words = words[: length - 2]
        tokens = [self.start, *map(self.token, words), self.end]
        if length is not None:
            tokens += [self.null] * (length - len(tokens))
        return np.array(tokens, dtype=np.int32)

    def decode(self, tokens: Ints) -> str:
        """The text of a row of tokens up to the first `<END>`, without `<NULL>` and `<START>`.

        Words that are parts of one, such as "does" and "n't", are put together again.
        """
        words = []
        for token in tokens.tolist():
            if token == self.end:
                break
            if token not in (self.null, self.start):
                words.append(self.words[token])
        return composed(join(words) if self.cut == PTB else self.joiner.join(words))

    def token(self, word: str) -> int:
        """The token of a word; that of `<UNK>` if it has none.

        Raises:
            DataError: it has none, and neither has `<UNK>`.
        """
        token = self._tokens.get(word, self.unknown)
        if token is None:
            raise DataError(f"the vocabulary has neither the word {word!r} nor {UNKNOWN}")
        return token


def characters(words: Sequence[str]) -> list[str]:
    """The characters of words with blanks between; the word `<UNK>` stays whole."""
    spelled = [part for word in words for part in (BLANK, *([word] if word == UNKNOWN else word))]
    return spelled[1:]


def read_vocabulary(path: Path) -> Vocabulary:
    """Read a vocabulary file: a JSON object with the list `idx_to_word`, or the object `word_to_idx`, or
    both; and `cut`, how captions are cut into words, if it is not "plain".

    Raises:
        DataError: the file cannot be read, is not of this form, or contradicts itself.
    """
    content = read_json(path, spelled=True)
    if not isinstance(content, dict) or not ("idx_to_word" in content or "word_to_idx" in content):
        raise DataError(
            f"{path} is not a vocabulary; expected a JSON object with the list idx_to_word, "
            "the object word_to_idx, or both"
        )
    cut = content.get("cut", PLAIN)
    if not isinstance(cut, str):
        raise DataError(f"{path}: cut is {quoted(cut)}, but must be one of {listed(CUTS)}")
    by_word = _by_word(path, content["word_to_idx"]) if "word_to_idx" in content else None
    if "idx_to_word" not in content:
        return Vocabulary.from_words(by_word or [], str(path), cut=cut)
    words: object = content["idx_to_word"]
    if not isinstance(words, list):
        raise DataError(f"{path}: idx_to_word is not a list; expected the words in order of token")
    mistakes = Mistakes(path)
    for token, word in enumerate(words):
        if not isinstance(word, str):
            mistakes.add("", f"idx_to_word[{token}] is {quoted(word)}, but words are strings")
    mistakes.tell()
    vocabulary = Vocabulary.from_words(words, str(path), cut=cut)
    if by_word is not None and by_word != words:
        token = next(
            (i for i, pair in enumerate(zip(words, by_word, strict=False)) if pair[0] != pair[1]),
            min(len(words), len(by_word)),
        )
        raise DataError(
            f"{path}: idx_to_word and word_to_idx differ at token {token} "
            f"({_at(words, token)} and {_at(by_word, token)}); make them agree, or leave one out"
        )
    return vocabulary


def _by_word(path: Path, content: object) -> list[str]:
    """The words of `word_to_idx` in order of token."""
    if not isinstance(content, dict):
        raise DataError(f"{path}: word_to_idx is not an object; expected a token for each word")
    words: dict[int, str] = {}
    mistakes = Mistakes(path)
    for word, token in content.items():
        if not isinstance(token, int) or isinstance(token, bool) or token < 0:
            mistakes.add(
                "", f"word_to_idx[{word!r}] is {quoted(token)}, but tokens are integers from 0"
            )
        elif token in words:
            mistakes.add(
                "",
                f"word_to_idx gives token {token} to both {words[token]!r} and {word!r}; "
                "every word needs a token of its own",
            )
        else:
            words[token] = word
    mistakes.tell()
    for token in range(len(words)):
        if token not in words:
            raise DataError(
                f"{path}: word_to_idx has no word for token {token}, but goes up to {max(words)}; "
                "tokens must be numbered without gaps"
            )
    return [words[token] for token in range(len(words))]


def _at(words: Sequence[str], token: int) -> str:
    return repr(words[token]) if token < len(words) else "nothing"
