"""Rows of an embedding from a file of word vectors: w[k] = the vector of word k; others ~ N(0, s^2)

with s the root mean square of the numbers that are found, so that both have one scale.

The text forms of GloVe (Pennington, Socher & Manning, "GloVe: global vectors for word representation", 2014) and of
word2vec (Mikolov, Sutskever, Chen, Corrado & Dean, "Distributed representations of words and phrases and their
compositionality", 2013), which has a first line with the number of words and of dimensions.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Initializer, Rng

GZIP: Final = b"\x1f\x8b"


@attrs.frozen
class WordVectors(Initializer):
    """Vectors that were learnt from other texts, for the words that they have.

    The file is read once, as a network begins; its path stays in the spec only as a record. Only lines of words in the
    vocabulary are kept, compared letter by letter. Where no words are known, all rows are drawn.

    Attributes:
        file: text with a word and its numbers in each line, as GloVe's and word2vec's; compressed by gzip or not.
    """

    file: str

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        return rng.normal(0.0, 1.0 / math.sqrt(fan_out), shape).astype(dtype)

    def for_words(self, words: Sequence[str]) -> Initializer:
        return Known(self.file, len(words), read_vectors(self.file, words))


@attrs.frozen(eq=False)
class Known(Initializer):
    """The rows of some words.

    Attributes:
        file: that they are from.
        words: how many rows there are.
        vectors: row -> its numbers.
    """

    file: str
    words: int
    vectors: Mapping[int, Array] = attrs.field(repr=False)

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        found = np.array(list(self.vectors.values()))
        if shape[1:] != found.shape[1:]:
            raise ValueError(
                f"the vectors in {self.file} have {found.shape[1]} numbers, and here {shape[-1]} are wanted: "
                f"give the embedding dim = {found.shape[1]}"
            )
        w = rng.normal(0.0, self._scale, shape)
        w[list(self.vectors)] = found
        return w.astype(dtype)

    @property
    def told(self) -> str:
        return (
            f"{len(self.vectors):,} of {self.words:,} words have vectors in {self.file}; the others are drawn with "
            f"standard deviation {self._scale:.3g}"
        )

    @property
    def _scale(self) -> float:
        return math.sqrt(float(np.mean(np.square(list(self.vectors.values())))))


def read_vectors(file: str | Path, words: Sequence[str]) -> dict[int, Array]:
    """The vectors of those words that a file has, by their number; of a word that comes twice, the first.

    Raises:
        ValueError: there is no such file, it cannot be read, a line of it is not as it should be, or it has no such word.
    """
    wanted = {word.encode(): k for k, word in enumerate(words)}
    found: dict[int, Array] = {}
    size = 0
    try:
        with _opened(Path(file)) as lines:
            for number, line in enumerate(lines, 1):
                word, _, rest = line.rstrip().partition(b" ")
                if number == 1:
                    size = _size(line)
                if (
                    word in wanted
                    and wanted[word] not in found
                    and not (number == 1 and _head(line))
                ):
                    fields = rest.split()
                    if len(fields) <= size:  # else the word has blanks, and is another
                        found[wanted[word]] = _vector(fields, size, f"{file}:{number}")
    except (OSError, EOFError, zlib.error) as e:
        why = getattr(e, "strerror", None) or e
        raise ValueError(f"cannot read the word vectors in {file}: {why}") from e
    if not found:
        raise ValueError(
            f"{file} has none of the {len(words):,} words of the data: it must be text with a word and its numbers in "
            "each line"
        )
    return found


@contextmanager
def _opened(file: Path) -> Iterator[Iterable[bytes]]:
    if file.exists() and not file.is_file():  # a pipe or a device may never end
        raise OSError("it is no file")
    with file.open("rb") as plain:
        packed = plain.read(2) == GZIP
    with gzip.open(file) if packed else file.open("rb") as lines:
        yield lines


def _head(line: bytes) -> bool:
    """Whether this is word2vec's first line."""
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)


def _size(first: bytes) -> int:
    """How many numbers a vector has, by the first line of its file."""
    fields = first.split()
    return int(fields[1]) if _head(first) else max(1, len(fields) - 1)


def _vector(fields: Sequence[bytes], size: int, place: str) -> Array:
    try:
        vector = np.array([float(field) for field in fields])
    except ValueError as e:
        raise ValueError(
            f"{place}: not a word and numbers ({e}); binary files of word2vec are not read, only text"
        ) from None
    if len(vector) != size or not np.isfinite(vector).all():
        what = f"{len(vector)} numbers where the first line has {size}"
        raise ValueError(
            f"{place}: {what if len(vector) != size else 'a number that is not finite'}"
        )
    return vector
