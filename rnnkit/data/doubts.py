"""What makes training on a data folder pointless, or is most likely a mistake: each told in a sentence, with numbers."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs
import numpy as np

from rnnkit.data.annotations import read_annotations
from rnnkit.data.dataset import Dataset, Split
from rnnkit.data.features import Features, ignore
from rnnkit.data.summary import SplitSummary, describe
from rnnkit.data.tokenizer import words_of
from rnnkit.data.vocabulary import UNKNOWN, Vocabulary
from rnnkit.errors import listed
from rnnkit.kinds.arrays import Array, Ints

USED: Final = ("train", "val", "test")
"""Splits that a command uses without being told to."""

BLOCK_BYTES: Final = 16 * 2**20
"""Features that are looked at in one piece."""

RUNS: Final = 16
"""Places in files of features from which a sample is read; duplicates are mostly neighbours."""

RUN: Final = 64
"""Neighbouring rows that are read in each of them."""

FEW: Final = 10
"""Of fewer captions, images or numbers, some being alike says nothing."""

UNDIVIDED: Final = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""How Unicode's names of letters begin in scripts that write no blanks between words."""

SINGLE: Final = np.dtype(np.float32)


@attrs.frozen
class Doubt:
    """Something about data that its user should know before training.

    Attributes:
        text: what it is, in numbers, and the way out.
        hopeless: whether nothing is left to learn from these tokens. Of words, their characters may be learnt.
    """

    text: str
    hopeless: bool = False


def doubts(
    dataset: Dataset,
    *,
    whole: bool = False,
    progress: Callable[[int], object] = ignore,
) -> tuple[Doubt, ...]:
    """What is pointless or suspicious about a dataset; nothing if all is well.

    Args:
        dataset: as it is in the folder, or in characters.
        whole: look at all features. Otherwise, of features that are read from files, at a sample, which is the
            same every time.
        progress: called with the number of rows in each piece that has been looked at.

    Raises:
        DataError: a value of the features is not finite, or a file cannot be read.
    """
    seen = {name: _look(split, whole, progress) for name, split in dataset.splits.items()}
    found = list(_of_splits(dataset, seen)) if "train" in seen else []
    found.append(_unused(dataset))
    return tuple(dict.fromkeys(doubt for doubt in found if doubt is not None))


def _of_splits(dataset: Dataset, seen: Mapping[str, _Looked]) -> Iterator[Doubt | None]:
    """In the order in which they are mended; what follows from another is not told."""
    train, of_train = dataset.splits["train"], seen["train"]
    summaries = {summary.split: summary for summary in describe(dataset).splits}
    others = [name for name in seen if name != "train"]
    words = _words(dataset, summaries["train"])
    yield words or _captions(dataset, train)
    same = _same(of_train)
    yield same
    yield _empty(of_train)
    yield same or _still(of_train) or _dominated(of_train) or _scale(of_train)
    for name in others:
        yield words or _foreign(summaries[name])
        yield same or _same(seen[name])
        yield _empty(seen[name])
        yield _scales(seen[name], of_train)
        yield _shared(dataset.splits[name], train, seen[name], of_train)


# Words and captions


def _words(dataset: Dataset, train: SplitSummary) -> Doubt | None:
    """Whether there are words, and the vocabulary has them."""
    unknown = train.unknown_percent or 0.0
    if not train.mean_words:
        return Doubt("the captions of train have no words; write some, or leave them out", True)
    fewest = 4 if _undivided(dataset.vocabulary) else 2
    if not dataset.vocabulary.by_character and train.mean_words < fewest:
        besides = f", and {unknown:.0f} % of these are <UNK>" if unknown >= 50 else ""
        return Doubt(
            f"a caption of train has {train.mean_words:.1f} words on average{besides}: if its script has no "
            "blanks between words, as in Chinese, Japanese and Thai, train on characters, with "
            'tokens = "char" in [data]',
            hopeless=unknown == 100,
        )
    if unknown >= 50:
        return Doubt(
            f"{_percent(unknown)} of the words of train are <UNK>, and a network would learn to write little "
            f"else; prepare the data again with {_better(dataset)}",
            hopeless=unknown == 100,
        )
    return None


def _undivided(vocabulary: Vocabulary) -> bool:
    """Whether most words are of a script without blanks between words."""
    names = [unicodedata.name(word[0], "") for word in vocabulary.words]
    return 2 * sum(name.startswith(UNDIVIDED) for name in names) > len(names)


def _better(dataset: Dataset) -> str:
    """The largest `--min-count` that leaves at most a tenth of train's words unknown."""
    path = dataset.folder / "captions_train.json"
    if not path.exists():
        return "a smaller --min-count"
    words = Counter(
        word
        for image in read_annotations(path).images
        for caption in image.captions
        for word in words_of(caption, dataset.vocabulary.cut)
    )
    total, known, least = words.total(), 0, 1
    for _, count in words.most_common():
        known, least = known + count, count
        if 10 * known >= 9 * total:
            break
    left = sum(count for count in words.values() if count < least)
    return f"--min-count {least}, which leaves {_percent(100 * left / total)} of them unknown"


def _foreign(split: SplitSummary) -> Doubt | None:
    """Words of another split that train, whose own are known, does not have."""
    unknown = split.unknown_percent or 0.0
    if unknown < 50:
        return None
    return Doubt(
        f"{_percent(unknown)} of the words of {split.split} are <UNK>, although most of train's are known: are "
        "its captions in another language, or of another subject?"
    )


def _captions(dataset: Dataset, train: Split) -> Doubt | None:
    """Whether captions say the same of whatever image."""
    n = len(train.captions)
    said = np.array([hash(row.tobytes()) for row in train.captions])
    _, first, counts = np.unique(said, return_index=True, return_counts=True)
    most = int(counts.argmax())
    if n >= FEW and 2 * counts[most] > n:
        caption = dataset.vocabulary.decode(train.captions[first[most]])
        other = "prepare the data again with a smaller --min-count" if UNKNOWN in caption else None
        return Doubt(
            f"{_of(int(counts[most]), n)} captions of train are {caption!r}; a network would learn to say that "
            f"of every image; {other or 'write what tells the images apart, or leave such captions out'}"
        )
    image, of_image = np.unique(np.stack([train.image_idxs, said]), axis=1)
    starts = np.flatnonzero(np.diff(image, prepend=-1))
    _, images = np.unique(np.add.reduceat(of_image, starts), return_counts=True)
    if n >= FEW and 2 * images.max() > len(starts) > 1:
        return Doubt(
            f"{_of(int(images.max()), len(starts))} images of train have the same captions; nothing in them "
            "tells the images apart: see whether captions went to the wrong images"
        )
    return None


# Features


@attrs.frozen(eq=False)
class _Looked:
    """What has been seen of a split's features: n rows of F numbers.

    Attributes:
        split: its name.
        images: of the split; n of them have been looked at.
        rows: (n,), a hash of each row.
        zeros: rows that are all zero.
        square: (F,), the mean square of each number.
        variance: (F,).
    """

    split: str
    images: int
    rows: Ints
    zeros: int
    square: Array
    variance: Array

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def looked_at(self) -> str:
        """What the rows are called."""
        return f"images of {self.split}{' looked at' * (len(self) < self.images)}"

    @property
    def distinct(self) -> int:
        """How many rows differ."""
        return len(np.unique(self.rows))

    @property
    def constant(self) -> bool:
        """Whether no row differs from another by more than a thousandth of its size."""
        return bool(self.variance.sum() <= 1e-6 * self.square.sum())

    @property
    def size(self) -> float:
        """The root mean square of all numbers."""
        return float(np.sqrt(self.square.mean()))


def _look(split: Split, whole: bool, progress: Callable[[int], object]) -> _Looked:
    """In pieces, so that all of them need not be in memory."""
    features = split.features
    hashes: list[int] = []
    zeros = 0
    total, square = np.zeros(features.width), np.zeros(features.width)
    low, high = np.full(features.width, np.inf), np.full(features.width, -np.inf)
    for block in features.batches(_rows(features, whole), SINGLE):
        hashes += [hash(row.tobytes()) for row in block]
        zeros += int(np.count_nonzero(~block.any(axis=1)))
        exact = block.astype(np.float64)
        total += exact.sum(axis=0)
        square += np.einsum("nf,nf->f", exact, exact)
        np.minimum(low, exact.min(axis=0), out=low)
        np.maximum(high, exact.max(axis=0), out=high)
        progress(len(block))
    n = len(hashes)
    square /= n
    # Rounding must not make a variance of what is constant.
    variance = np.where(high > low, np.maximum(square - (total / n) ** 2, 0), 0)
    return _Looked(split.name, split.images, np.array(hashes), zeros, square, variance)


def _rows(features: Features, whole: bool) -> Iterator[Ints]:
    """The rows to look at, in the order of the files."""
    n = len(features)
    if whole or features.held or n <= RUNS * RUN:
        step = max(1, BLOCK_BYTES // (features.width * SINGLE.itemsize))
        yield from (np.arange(i, min(i + step, n)) for i in range(0, n, step))
    else:
        starts = np.linspace(0, n - RUN, RUNS).astype(np.int64)
        yield from (np.arange(i, i + RUN) for i in np.unique(starts))


def _same(seen: _Looked) -> Doubt | None:
    """Images that a network cannot tell apart."""
    n, distinct = len(seen), seen.distinct
    if n > 1 and seen.constant:
        how = (
            "features that are all zero"
            if seen.zeros == n
            else "the same features"
            if distinct == 1
            else "features that differ by less than a thousandth of their size"
        )
        return Doubt(
            f"all {n:,} {seen.looked_at} have {how}, so that no caption can depend on its image; compute the "
            f"features again{', or take their mean away' * (distinct > 1)}"
        )
    copies = n - distinct - max(0, seen.zeros - 1)  # `_empty` tells of these
    if n > 1 and 10 * copies >= n:
        return Doubt(
            f"{_of(copies, n)} {seen.looked_at} have the features of another of them; if each is there "
            "once for each caption, list it once with all its captions, else compute the features again"
        )
    return None


def _empty(seen: _Looked) -> Doubt | None:
    n = len(seen)
    if 100 * seen.zeros < n or not seen.zeros or seen.zeros == n > 1:
        return None
    return Doubt(
        f"{_of(seen.zeros, n)} {seen.looked_at} have features that are all zero; compute these again, or leave "
        "the images out"
    )


def _still(seen: _Looked) -> Doubt | None:
    """Numbers that are the same for every image."""
    width, moving = len(seen.variance), int(np.count_nonzero(seen.variance))
    if seen.constant or len(seen) < FEW or 10 * moving > width:
        return None
    return Doubt(
        f"only {moving:,} of the {width:,} numbers of an image's features differ between images of train; see "
        "whether the others were lost when the features were computed"
    )


def _dominated(seen: _Looked) -> Doubt | None:
    """One number that drowns the others."""
    total, width = seen.square.sum(), len(seen.square)
    most = int(seen.square.argmax())
    if seen.constant or width < FEW or seen.square[most] < 0.9 * total:
        return None
    rest = np.sqrt((total - seen.square[most]) / (width - 1))
    return Doubt(
        f"number {most} of the features of train is {np.sqrt(seen.square[most]):.3g} in size (root mean square), "
        f"and the other {width - 1:,} are {rest:.3g}: it drowns them; leave it out if it is no feature, or "
        "scale each number to the same size"
    )


def _scale(seen: _Looked) -> Doubt | None:
    if seen.constant or 1e-3 <= seen.size <= 1e3:
        return None
    return Doubt(
        f"the features of train are {seen.size:.3g} in size (root mean square), and networks start from "
        "weights for about 1; scale them, or let data prepare --pca do so"
    )


def _scales(seen: _Looked, train: _Looked) -> Doubt | None:
    """Splits whose features were not computed alike."""
    small, large = sorted((seen.size, train.size))
    if not small or large < 5 * small:
        return None
    return Doubt(
        f"the features of train are {train.size:.3g} in size (root mean square), and those of {seen.split} "
        f"{seen.size:.3g}; compute and scale them in the same way"
    )


# Splits


def _shared(split: Split, train: Split, seen: _Looked, of_train: _Looked) -> Doubt | None:
    """Pictures that are also in train: what is learnt by heart looks like skill."""
    pictures = {*(train.pictures or ())}
    named = sum(picture in pictures for picture in split.pictures or ())
    alike = 0 if of_train.constant else int(np.isin(seen.rows, of_train.rows).sum())
    if named:
        shown, by = f"{_of(named, split.images)} images of {split.name}", "names"
    elif alike and 100 * alike >= len(seen):
        shown, by = f"{_of(alike, len(seen))} {seen.looked_at}", "features"
    else:
        return None
    return Doubt(
        f"{shown} have the {by} of images in train, so that {split.name} says little "
        "about new pictures; give every picture to one split only"
    )


def _unused(dataset: Dataset) -> Doubt | None:
    names = [name for name in dataset.splits if name not in USED]
    if not names:
        return None
    images = sum(dataset.splits[name].images for name in names)
    return Doubt(
        f"nothing uses the split{'s' * (len(names) > 1)} {listed(names)} ({images:,} "
        f"image{'s' * (images != 1)}) unless a command names it: networks are trained on train and judged on "
        "val or test; prepare the data again with one of these names"
    )


def _of(part: int, whole: int) -> str:
    return f"all {whole:,}" if part == whole else f"{part:,} of the {whole:,}"


def _percent(value: float) -> str:
    return f"{value:.3g} %"
