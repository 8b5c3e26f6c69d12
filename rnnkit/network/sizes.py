"""Which data a spec means, and what a network must know of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import attrs

from rnnkit.data import Dataset, Vocabulary, as_characters, open_data
from rnnkit.data.ordering import frequent_first
from rnnkit.errors import DataError, SpecError, quoted
from rnnkit.kinds import LikelihoodLayer
from rnnkit.spec import Problem, Spec, read_spec


@attrs.frozen
class Sizes:
    """What a network must know of its data.

    Attributes:
        features: F, width of the image features.
        vocabulary: its words or characters; V is their number.
        length: T, tokens of the longest caption, start and end included.
        map: (C, h, w) or (C, L), if the features are known to be a map, channels first.
    """

    features: int
    vocabulary: Vocabulary
    length: int
    map: tuple[int, ...] | None = None


@contextmanager
def opened(spec: Spec, data: str | Path | Dataset | None) -> Iterator[Dataset | None]:
    """The data to use with a spec: this folder while it is open, this dataset, or the spec's own folder.

    Raises:
        DataError: the folder is missing something, or damaged.
    """
    data = spec.data.path if data is None else data
    if isinstance(data, str | PathLike):
        with open_data(data, raw=spec.data.raw) as dataset:
            yield dataset
    elif data is None or isinstance(data, Dataset):
        yield data
    else:
        raise DataError(
            f"{quoted(data)} is no data: give a data folder, or what rnnkit.open_data makes of it"
        )


def tokenized(spec: Spec, dataset: Dataset, vocabulary: Vocabulary | None = None) -> Dataset:
    """The dataset in the tokens that a spec wants; characters, and their order, are those of a model's vocabulary, if there
    is one.
    """
    if spec.data.tokens == "char":
        dataset = as_characters(dataset, vocabulary)
    return frequent_first(dataset, vocabulary) if wants_frequent_first(spec) else dataset


def wants_frequent_first(spec: Spec) -> bool:
    """Whether tokens of a network are to be those of frequent words first."""
    last = spec.model.head[-1] if spec.model.head else None
    return isinstance(last, LikelihoodLayer) and last.by_frequency


def in_words(spec: Spec) -> Spec:
    """The same spec over words, whose sizes are those of the data."""
    return attrs.evolve(
        spec, data=attrs.evolve(spec.data, tokens="word", vocabulary=None, length=None)
    )


def as_spec(spec: str | Path | Spec, overrides: Sequence[str]) -> Spec:
    """The spec itself, or that of a file with its overrides.

    Raises:
        SpecError: it is none, the file has mistakes, or there are overrides for a spec in memory.
    """
    if isinstance(spec, str | PathLike):
        return read_spec(spec, overrides)
    if not isinstance(spec, Spec):
        raise SpecError(
            f"{quoted(spec)} is no spec: give a TOML file, or what rnnkit.parse_spec makes of TOML text"
        )
    if overrides:
        raise SpecError("overrides need a spec file; for a spec in memory, use attrs.evolve")
    return spec


def sizes_of(spec: Spec, dataset: Dataset | None) -> Sizes:
    """The sizes of the data in the spec's tokens, or without any those in the spec.

    Raises:
        SpecError: a size is given by neither, or differently by both.
    """
    if dataset is not None:
        dataset, of = tokenized(spec, dataset), dataset.feature_map
        sizes = Sizes(
            dataset.feature_width,
            dataset.vocabulary,
            dataset.length,
            None if of is None else (of.channels, *of.regions),
        )
        has = {
            "features": sizes.features,
            "vocabulary": len(sizes.vocabulary),
            "length": sizes.length,
        }
        problems = [
            Problem(("data", key), f"the spec says {wanted}, but {dataset.folder} has {size}")
            for key, size in has.items()
            for wanted in [getattr(spec.data, key)]
            if wanted not in (None, size)
        ]
        if problems:
            raise spec.origin.error(problems)
        return sizes
    table = spec.data
    if table.features is None or table.vocabulary is None or table.length is None:
        raise spec.origin.error(
            Problem(
                ("data",),
                f"{key!r} is not known: name a data folder (data.path, or --data), or write it here",
            )
            for key in ("features", "vocabulary", "length")
            if getattr(table, key) is None
        )
    vocabulary = Vocabulary.standard(table.vocabulary)
    if table.tokens == "char":
        vocabulary = attrs.evolve(vocabulary, joiner="")
    return Sizes(table.features, vocabulary, table.length)
