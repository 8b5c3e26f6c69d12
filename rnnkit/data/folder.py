"""Data folders opened, and checked: do captions, vocabulary and features fit each other?"""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.data.dataset import Dataset, Split
from rnnkit.data.features import Features, find_files, open_features
from rnnkit.data.features.reading import find_dataset, names_in, open_hdf5, reading
from rnnkit.data.layout import ASSIGNMENT, DATA_FOLDER, Layout
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.photos.pipeline import ENCODER, read_pipeline
from rnnkit.data.texts import read_text
from rnnkit.data.vocabulary import END, NULL, START, Vocabulary, read_vocabulary
from rnnkit.errors import DataError, listed, quoted
from rnnkit.kinds.arrays import Ints
from rnnkit.system.hdf5 import read
from rnnkit.system.limits import LONGEST

_AT_ONCE: Final = 2**16
"""Captions that are looked at together."""


def open_data(folder: str | Path, *, raw: bool = False) -> Dataset:
    """Open a data folder, or a folder in the layout of the assignment, and check that its files fit each other.

    That features are finite is checked here if they are small enough to be held; else whenever rows are
    read, and by `Dataset.check`.

    Args:
        folder: has `captions.h5`, `vocab.json` and `features_{split}.h5`, or the assignment's
            `coco2014_captions.h5`, `coco2014_vocab.json` and `{split}2014_vgg16_fc7_pca.h5`. Features may be
            in shards: `features_{split}-00000-of-00004.h5` and so on. `encoder.json` and `pca.h5` say how they came
            from photos, where that is known.
        raw: take the features from before the PCA: `features_raw_{split}.h5`, or
            `{split}2014_vgg16_fc7.h5`.

    Raises:
        DataError: something is missing, damaged, or does not fit the rest.
    """
    folder = Path(folder)
    with contextlib.ExitStack() as opened:
        dataset = opened.enter_context(open_undescribed(folder, raw=raw))
        pipeline = read_pipeline(folder, raw=raw)
        if pipeline is not None and pipeline.width != dataset.feature_width:
            raise DataError(
                f"{folder / ENCODER} names an encoder whose features have width {pipeline.width} here, but those of "
                f"the folder have {dataset.feature_width}; say which encoder made them with: "
                f"rnnkit data describe {folder} --encoder NAME"
            )
        opened.pop_all()
    return attrs.evolve(dataset, pipeline=pipeline)


def open_undescribed(folder: Path, *, raw: bool = False) -> Dataset:
    """What `open_data` does, but for the files that say how the features came from photos."""
    present = _names_in(folder)
    layout = next((c for c in (DATA_FOLDER, ASSIGNMENT) if c.captions in present), None)
    if layout is None:
        raise DataError(
            f"{folder} is not a data folder: it has neither {DATA_FOLDER.captions} nor, as in the "
            f"assignment, {ASSIGNMENT.captions}; give the folder that has one of them"
        )
    if layout.vocabulary not in present:
        raise DataError(
            f"{folder / layout.vocabulary} is missing; {layout.captions} cannot be read without it"
        )
    vocabulary = read_vocabulary(folder / layout.vocabulary)
    splits: dict[str, Split] = {}
    with contextlib.ExitStack() as opened, open_hdf5(folder / layout.captions) as file:
        for name in _split_names(file, folder / layout.captions):
            features = open_features(*_find_features(folder, layout, name, raw, present))
            opened.callback(features.close)
            captions, image_idxs = _read_captions(
                file, folder / layout.captions, name, vocabulary, layout.vocabulary, features
            )
            pictures = _read_pictures(folder, layout, name, features, present)
            splits[name] = Split(name, captions, image_idxs, features, pictures)
        _check_alike(folder / layout.captions, list(splits.values()))
        opened.pop_all()
    return Dataset(folder, vocabulary, splits)


def _names_in(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError as error:
        raise DataError(f"{folder} does not exist; {_way_to(folder)}") from error
    except OSError as error:
        raise DataError(
            f"{folder} cannot be opened as a folder: {error.strerror}; give the path of a data folder "
            "that you may read"
        ) from error
    except ValueError as error:
        raise DataError(f"{quoted(str(folder))} is no path: it has the character NUL") from error


def _way_to(folder: Path) -> str:
    """How to come by a data folder that is not there."""
    if folder.name == "scenes":  # as in the specs that come with rnnkit
        return f"draw its pictures with: rnnkit data demo {folder}"
    return (
        "give the path of a data folder with --data, or make one: rnnkit data prepare makes it of your own "
        "captions and features, rnnkit data demo draws pictures"
    )


def _split_names(file: Any, path: Path) -> list[str]:
    with reading(path):
        datasets = names_in(file)
    names = [name.removesuffix("_captions") for name in datasets if name.endswith("_captions")]
    if not names:
        raise DataError(
            f"{path} has no captions, such as a dataset train_captions; it has {listed(datasets)}"
        )
    return sorted(names, key=lambda name: (name != "train", name))


def _find_features(
    folder: Path, layout: Layout, split: str, raw: bool, present: set[str]
) -> list[Path]:
    pca, before = layout.features.format(split), layout.raw_features.format(split)
    wanted, other = (before, pca) if raw else (pca, before)
    found = find_files(folder, wanted, present)
    if not found:
        others = find_files(folder, other, present)
        raise DataError(
            f"{folder / wanted} is missing: the {split} captions of {layout.captions} need it; "
            + (
                f"{others[0].name} is there: {'leave raw out' if raw else 'set raw'} to use it"
                if others
                else "add it, or leave those captions out"
            )
        )
    return found


def _read_captions(
    file: Any,
    path: Path,
    split: str,
    vocabulary: Vocabulary,
    vocabulary_file: str,
    features: Features,
) -> tuple[Ints, Ints]:
    """The captions of a split (n, T) and their images (n,), both int32 and read-only."""
    name, idxs = f"{split}_captions", f"{split}_image_idxs"
    captions_set = find_dataset(file, path, (name,), np.integer, ("captions", "length"))
    idxs_set = find_dataset(file, path, (idxs, f"{split}_image_idxes"), np.integer, ("captions",))
    if len(captions_set) != len(idxs_set):
        raise DataError(
            f"{path}: {name} has {len(captions_set)} rows and {idxs} {len(idxs_set)}, but every "
            "caption needs the number of its image"
        )
    length = captions_set.shape[1]
    if length < 2:
        raise DataError(f"{path}: {name} has rows of one token, too short for <START> and <END>")
    if length > LONGEST:
        raise DataError(
            f"{path}: {name} has rows of {length:,} tokens, but {LONGEST:,} are the most"
        )
    with reading(path):
        captions: Ints = read(file, name)
        image_idxs: Ints = read(file, idxs_set.name)
    mistakes, starts = Mistakes(path), captions[:, 0]
    # Of millions of captions, one look at all and no copy.
    if captions.min() < 0 or captions.max() >= len(vocabulary):
        mistakes.add_where(
            (captions < 0) | (captions >= len(vocabulary)),
            lambda row, at: (
                f"{name}[{row}, {at}] is {captions[row, at]}, but the {len(vocabulary)} words of "
                f"{vocabulary_file} are tokens 0 to {len(vocabulary) - 1}; use the vocabulary that the "
                "captions were written with"
            ),
        )
    mistakes.add_where(
        (starts != vocabulary.start) & (starts >= 0) & (starts < len(vocabulary)),
        lambda row: (
            f"{name}[{row}] starts with token {starts[row]} ({vocabulary.words[starts[row]]}), but every "
            f"caption must start with token {vocabulary.start} ({START})"
        ),
    )
    mistakes.add_where(
        (image_idxs < 0) | (image_idxs >= len(features)),
        lambda row: (
            f"{idxs}[{row}] is {image_idxs[row]}, but the {len(features)} rows of "
            f"{features.source} are 0 to {len(features) - 1}; use the features of the same images"
        ),
    )
    if not mistakes:
        _check_grammar(captions, name, vocabulary, mistakes)
    mistakes.tell()
    captions = captions.astype(np.int32, copy=False)
    image_idxs = image_idxs.astype(np.int32, copy=False)
    captions.flags.writeable = image_idxs.flags.writeable = False
    return captions, image_idxs


def _check_grammar(captions: Ints, name: str, vocabulary: Vocabulary, mistakes: Mistakes) -> None:
    """That each caption, which starts as it should, has words, then `<END>`, and only `<NULL>` behind."""
    v, wrong = vocabulary, np.zeros(len(captions), bool)
    for first in range(0, len(captions), _AT_ONCE):
        rows = captions[first : first + _AT_ONCE, 1:]
        nulls = rows == v.null
        stop = (nulls | (rows == v.start) | (rows == v.end)).argmax(axis=1)
        ends = rows[np.arange(len(rows)), stop] == v.end
        filled = nulls.sum(axis=1) == rows.shape[1] - 1 - stop
        wrong[first : first + len(rows)] = ~(ends & filled)
    mistakes.add_where(wrong, partial(_ungrammatical, captions, name, vocabulary))


def _ungrammatical(captions: Ints, name: str, vocabulary: Vocabulary, row: int) -> str:
    tokens = captions[row].tolist()
    words = tokens[1:]
    stop = next(
        (t for t in words if t in (vocabulary.null, vocabulary.start, vocabulary.end)), None
    )
    mend = f"a caption is {START}, its words, {END}, and {NULL} up to its length"
    if vocabulary.end not in words:
        return f"{name}[{row}] has no {END}; {mend}"
    if stop != vocabulary.end:
        return f"{name}[{row}] has {NULL if stop == vocabulary.null else START} among its words; {mend}"
    return f"{name}[{row}] goes on after {END}; {mend}"


def _read_pictures(
    folder: Path, layout: Layout, split: str, features: Features, present: set[str]
) -> tuple[str, ...] | None:
    images, urls = layout.images.format(split), layout.urls.format(split)
    in_folder = "images" in present and images in present
    source = (
        images if in_folder else next((name for name in (urls, images) if name in present), None)
    )
    if source is None:
        return None
    lines = [line.strip() for line in read_text(folder / source).splitlines()]
    if len(lines) != len(features):
        raise DataError(
            f"{folder / source} has {len(lines)} lines, but {features.source} has {len(features)} "
            "rows; it must have a line for each"
        )
    return tuple(str(_spelled(folder / "images", line)) if in_folder else line for line in lines)


def _spelled(folder: Path, name: str) -> Path:
    """A file by its name in normalization form C; some systems decompose the names of their files."""
    path = folder / name
    if name.isascii() or path.exists():
        return path
    other = folder / unicodedata.normalize("NFD", name)
    return other if other.exists() else path


def _check_alike(path: Path, splits: Sequence[Split]) -> None:
    first = splits[0]
    for other in splits[1:]:
        if other.features.width != first.features.width:
            raise DataError(
                f"{other.features.source} has features of width {other.features.width}, but "
                f"{first.features.source} of width {first.features.width}; one network needs the same "
                "features in every split"
            )
        if other.features.map != first.features.map:
            raise DataError(
                f"{other.features.source} has features of another form ({_form(other.features)}) than "
                f"{first.features.source} ({_form(first.features)}); one network needs the same features in "
                "every split"
            )
        if other.captions.shape[1] != first.captions.shape[1]:
            raise DataError(
                f"{path}: {other.name}_captions has rows of {other.captions.shape[1]} tokens, but "
                f"{first.name}_captions of {first.captions.shape[1]}; fill both up to one length"
            )


def _form(features: Features) -> str:
    return str(features.map or "flat")
