"""A data folder out of captions in any form and features of their images: whole, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs
import numpy as np

import rnnkit.system.hdf5
from rnnkit.data.annotations import AnnotatedImage, ImageId
from rnnkit.data.checksums import write_checksums
from rnnkit.data.doubts import Doubt, doubts
from rnnkit.data.features import FeatureMap
from rnnkit.data.folder import open_data
from rnnkit.data.layout import DATA_FOLDER
from rnnkit.data.preparing.captions import read_captions
from rnnkit.data.preparing.feature_source import FeatureSource, open_source
from rnnkit.data.preparing.identity import Matched, match
from rnnkit.data.preparing.new_features import NewFeatures
from rnnkit.data.preparing.new_folder import new_folder, writing
from rnnkit.data.preparing.splitting import choose_splits
from rnnkit.data.summary import Summary, describe
from rnnkit.data.tokenizer import build_vocabulary, words_of
from rnnkit.data.vocabulary import PLAIN, PTB, Vocabulary
from rnnkit.errors import DataError, listed
from rnnkit.kinds.arrays import Ints
from rnnkit.parallel import ALONE, Ranks
from rnnkit.system.files import write_text_whole

Splits: TypeAlias = Mapping[str, Sequence[AnnotatedImage]]


@attrs.frozen
class Prepared:
    """What became of captions and features.

    Attributes:
        summary: the folder in numbers.
        cut: captions of each split that were longer than the limit.
        matched: which images have which features, and what was left out or merged.
        numbers_as_text: captions whose `image_id` is the text of a number and the image's `id` the number, or the
            other way round.
        map: what the features of an image are, if they are a map.
        kept_variance: the share of the variance that the PCA keeps, 0 to 1; None without PCA.
        doubts: what is suspicious about the data.
        unlisted: file names of the images that are in none of the lists of splits, and were left out.
        notes: what else there is to tell of how the captions were read, a sentence each.
    """

    summary: Summary
    cut: Mapping[str, int]
    matched: Matched
    numbers_as_text: int
    map: FeatureMap | None
    kept_variance: float | None
    doubts: tuple[Doubt, ...]
    unlisted: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(
    captions: str | Path | Sequence[str | Path],
    features: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    tokens: str = PLAIN,
    min_count: int = 5,
    length: int = 17,
    val: float | str | Path | None = None,
    seed: int = 231,
    pca: int | None = None,
    shards: int = 1,
    layout: str | None = None,
    dataset: str | None = None,
    beside: Mapping[str, str] | None = None,
    ranks: Ranks = ALONE,
) -> Prepared:
    """Write a data folder that `open_data` reads.

    Words are lower case without punctuation, cut in one of two ways: "dog's" is the plain word "dogs", and as "ptb" it
    is "dog" and "'s", as it is when captions are scored. The vocabulary is that of train only: `<NULL>`, `<START>`, `<END>`,
    `<UNK>`, then the words by falling frequency. Images without captions or without features are left out; the
    rest keep the order of their features. Images of one file name and the same features become one. Beside the files of every data folder there are the captions as they were written
    (`captions_{split}.json`).

    A PCA is fitted on train only: the mean is removed, and one scale for all dimensions makes their variance
    1 on average. The features before it are kept as raw features, and `pca.h5` has what it takes to project the
    features of another image: `(x - mean) @ components.T * scale`. Features are read in blocks; no more
    than a block and the covariance is in memory.

    Several ranks share the shards of each split, and the sums of the PCA. What they write is what one process
    writes, but for the last digits of a PCA.

    Args:
        captions: a file, or several, in any of the forms of `rnnkit.data.preparing.captions`, such as COCO's JSON;
            or a folder of photos with captions. Several files may be the splits, by their names.
        features: a file, or several whose rows follow each other. HDF5 or a NumPy archive (.npz) with the dataset
            `features` (images, F), or a NumPy file (.npy); or maps, such as (images, C, h, w), which are kept as they
            are. The rows are those of the images, in that order, unless the file names the image of each in
            `image_ids` or `ids`: by its id, or by its file name, with or without folder and suffix. Or HDF5 or an
            archive with a dataset for each image, under such a name, or a folder with such .npy files.
        out: the folder; must not exist.
        tokens: how captions are cut into words: "plain", or "ptb".
        min_count: how often train must have a word for the vocabulary.
        length: T, the tokens of a caption, `<START>` and `<END>` included; longer captions are cut.
        val: a share of the images, 0 to below 1; or a file with the name of an image in each line. If left
            open, the images' `split` decides, and 0.1 where they have none; `restval` is of train.
        seed: decides which images are drawn for val.
        pca: K, the number of dimensions to keep; no PCA if left open.
        shards: how many files the features of a split are written to, at most one for each image.
        layout: of feature maps: chw, hwc, or lc for (images, L, C). If left open, the attribute `layout` of the
            dataset says it, or the shape, where it can be in one way only.
        dataset: what the features are called in an HDF5 file or an archive, if not `features`.
        beside: texts to be kept in the folder, by the names of their files.
        ranks: processes that do this together, each called with the same arguments, on one file system.

    Raises:
        DataError: an argument is out of range, the files are damaged or do not fit each other, or the folder
            exists or cannot be written. Then nothing of it is left behind.
    """
    if tokens not in (PLAIN, PTB):
        raise DataError(f"tokens is {tokens!r}, but must be one of {listed((PLAIN, PTB))}")
    for name, value, least in (
        ("min_count", min_count, 1),
        ("length", length, 3),
        ("seed", seed, 0),
        ("shards", shards, 1),
    ):
        if value < least:
            raise DataError(f"{name} is {value}, but must be at least {least}")
    said = [Path(captions)] if isinstance(captions, str | Path) else list(map(Path, captions))
    if not said:
        raise DataError("there is no file of captions; name one")
    sources = [Path(features)] if isinstance(features, str | Path) else list(map(Path, features))
    if not sources:
        raise DataError("there is no file of features; name one")
    if not isinstance(val, float | int | None):
        val = Path(val)
    out = Path(out).absolute()
    with new_folder(out, ranks) as folder:

        def begin() -> _Begun:
            with writing(out), open_source(sources, layout, dataset) as source:
                if pca is not None and source.map is not None:
                    raise DataError(
                        f"{source.name} has maps ({source.map}), which a PCA would mix; leave --pca out"
                    )
                for name, text in (beside or {}).items():
                    write_text_whole(folder / name, text)
                return _begin(folder, said, source, tokens, min_count, length, val, seed)

        def end() -> tuple[Summary, tuple[Doubt, ...]]:
            with open_data(folder) as written:
                found = doubts(written)
                summary = attrs.evolve(describe(written), folder=str(out))
            with writing(out):
                write_checksums(folder)
            return summary, found

        begun = ranks.first(begin)
        written = NewFeatures(folder, out, begun.rows, shards, ranks, layout, dataset)
        width = written.copy(sources, raw=pca is not None)
        fitted = None if pca is None else written.reduce(width, pca)
        summary, found = ranks.first(end)
    return Prepared(
        summary=summary,
        cut=begun.cut,
        matched=begun.matched,
        numbers_as_text=begun.numbers_as_text,
        map=begun.map,
        kept_variance=None if fitted is None else fitted.kept,
        doubts=found,
        unlisted=begun.unlisted,
        notes=begun.notes,
    )


@attrs.frozen(eq=False)
class _Begun:
    """What is known once all but the features are written; `rows` are those of the source, for each split."""

    rows: Mapping[str, Ints]
    cut: Mapping[str, int]
    matched: Matched
    map: FeatureMap | None
    numbers_as_text: int
    unlisted: tuple[str, ...]
    notes: tuple[str, ...]


def _begin(
    folder: Path,
    captions: Sequence[Path],
    source: FeatureSource,
    tokens: str,
    min_count: int,
    length: int,
    val: float | Path | None,
    seed: int,
) -> _Begun:
    found, path = read_captions(captions)
    matched = match(found.images, path, source, split=val is None)
    unlisted = found.unlisted if val is None else ()
    images = [image for image in matched.images if image.file_name not in unlisted]
    rows = {image.id: row for image, row in zip(matched.images, matched.rows, strict=True)}
    splits = _split(images, path, val, seed, rows)
    cut = _write_captions(folder, splits, tokens, min_count, length)
    _write_pictures(folder, splits)
    return _Begun(
        rows={
            split: np.array([rows[image.id] for image in members])
            for split, members in splits.items()
        },
        cut=cut,
        matched=matched,
        map=source.map,
        numbers_as_text=found.numbers_as_text,
        unlisted=tuple(i.file_name for i in matched.images if i.file_name in unlisted),
        notes=found.notes,
    )


def _split(
    images: Sequence[AnnotatedImage],
    path: Path,
    val: float | Path | None,
    seed: int,
    rows: Mapping[ImageId, int],
) -> Splits:
    """The images by split, in the order of their features."""
    splits: dict[str, list[AnnotatedImage]] = {"train": []}
    for image, name in zip(images, choose_splits(images, path, val, seed), strict=True):
        splits.setdefault(name, []).append(image)
    return {
        name: sorted(members, key=lambda image: rows[image.id]) for name, members in splits.items()
    }


def _write_captions(
    folder: Path, splits: Splits, cut: str, min_count: int, length: int
) -> dict[str, int]:
    """Write captions and vocabulary; how many captions of each split were cut."""
    words = {
        split: [(row, words_of(c, cut)) for row, image in enumerate(images) for c in image.captions]
        for split, images in splits.items()
    }
    vocabulary = build_vocabulary((caption for _, caption in words["train"]), min_count, cut)
    with rnnkit.system.hdf5.writing(folder / DATA_FOLDER.captions) as file:
        for split, pairs in words.items():
            tokens = [vocabulary.encode_words(caption, length) for _, caption in pairs]
            rnnkit.system.hdf5.store(file, f"{split}_captions", np.stack(tokens))
            rnnkit.system.hdf5.store(
                file, f"{split}_image_idxs", np.array([row for row, _ in pairs], np.int32)
            )
    _write_json(folder / DATA_FOLDER.vocabulary, _vocabulary_content(vocabulary))
    for split, images in splits.items():
        _write_json(folder / f"captions_{split}.json", _annotations(images))
    return {
        split: sum(len(caption) > length - 2 for _, caption in pairs)
        for split, pairs in words.items()
    }


def _vocabulary_content(vocabulary: Vocabulary) -> object:
    return {
        "idx_to_word": vocabulary.words,
        "word_to_idx": {word: token for token, word in enumerate(vocabulary.words)},
        **({} if vocabulary.cut == PLAIN else {"cut": vocabulary.cut}),
    }


def _annotations(images: Sequence[AnnotatedImage]) -> object:
    captions = [(image.id, caption) for image in images for caption in image.captions]
    return {
        "images": [{"id": image.id, "file_name": image.file_name} for image in images],
        "annotations": [
            {"id": k, "image_id": image_id, "caption": caption}
            for k, (image_id, caption) in enumerate(captions)
        ],
    }


def _write_pictures(folder: Path, splits: Splits) -> None:
    """Where to see the images: their names, and their addresses if all of a split have one."""
    for split, images in splits.items():
        _write_lines(folder / DATA_FOLDER.images.format(split), [i.file_name for i in images])
        addresses = [image.address for image in images if image.address]
        if len(addresses) == len(images):
            _write_lines(folder / DATA_FOLDER.urls.format(split), addresses)


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def _write_json(path: Path, content: object) -> None:
    path.write_bytes(json.dumps(content).encode())
