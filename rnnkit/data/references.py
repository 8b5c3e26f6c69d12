"""What people wrote of the images of a split: as they wrote it, where the data folder has that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import attrs

from rnnkit.data.annotations import AnnotatedImage, ImageId, read_annotations
from rnnkit.data.dataset import Dataset
from rnnkit.data.layout import ASSIGNMENT, DATA_FOLDER
from rnnkit.data.texts import read_text
from rnnkit.errors import DataError


@attrs.frozen
class References:
    """Captions by people, image by image, in the order of the split's features.

    Attributes:
        captions: of each image, as they were written; or its tokens in words.
        image_ids: by which the annotations name the images; else the rows of their features.
        source: the file of annotations; None if the captions are tokens in words.
    """

    captions: tuple[tuple[str, ...], ...]
    image_ids: tuple[ImageId, ...]
    source: Path | None


def read_references(dataset: Dataset, split: str) -> References:
    """The captions of a split as they were written, from `captions_{split}.json`, or else its tokens.

    The file is in COCO's annotation form. Its images are matched to the features by the names in
    `{split}_images.txt` (as they stand, or without the folders before them), else by their order.

    Raises:
        DataError: there is no such split, or the file is damaged or of other images.
    """
    rows = dataset.split(split).images
    path = _annotations(dataset, split)
    if not path.exists():
        return _from_tokens(dataset, split)
    images = _matched(read_annotations(path).images, rows, path, _listing(dataset.folder, split))
    return References(
        tuple(image.captions for image in images), tuple(image.id for image in images), path
    )


def has_written(dataset: Dataset) -> bool:
    """Whether the folder has the captions of its first split, train, as they were written."""
    return _annotations(dataset, next(iter(dataset.splits))).exists()


def read_written(dataset: Dataset, split: str) -> dict[int, str]:
    """The captions of a split as they were written; row of its tokens -> text.

    Captions of an image are in the order of its tokens. Those of an image with more or fewer captions than rows of
    tokens are not there; nor is any if the folder does not have them.

    Raises:
        DataError: the file is damaged or of other images.
    """
    references = read_references(dataset, split)
    if references.source is None:
        return {}
    written: dict[int, str] = {}
    for image, texts in enumerate(references.captions):
        rows = dataset.split(split).rows_of(image)
        if len(rows) == len(texts):
            written.update(zip(rows.tolist(), texts, strict=True))
    return written


def _annotations(dataset: Dataset, split: str) -> Path:
    return dataset.folder / f"captions_{split}.json"


def _from_tokens(dataset: Dataset, name: str) -> References:
    split = dataset.split(name)
    captions = tuple(
        tuple(dataset.vocabulary.decode(row) for row in split.captions_of(image))
        for image in range(split.images)
    )
    return References(captions, tuple(range(split.images)), None)


def _listing(folder: Path, split: str) -> Path | None:
    """The file with the name of each image, in the order of the features."""
    paths = (folder / layout.images.format(split) for layout in (DATA_FOLDER, ASSIGNMENT))
    return next((path for path in paths if path.exists()), None)


def _matched(
    images: Sequence[AnnotatedImage], rows: int, path: Path, listing: Path | None
) -> Sequence[AnnotatedImage]:
    """The annotated image of each row of features."""
    if listing is None:
        if len(images) != rows:
            raise DataError(
                f"{path} has {len(images)} images, but there are {rows} rows of features and no list of "
                f"their names; correct it, or remove {path.name}"
            )
        return images
    names = [line.strip() for line in read_text(listing).splitlines()]
    if len(names) != rows:
        raise DataError(
            f"{listing} has {len(names)} lines, but there are {rows} rows of features; it must have a line "
            "for each"
        )
    for part in (str, _last_part):
        found = {part(image.file_name): image for image in images}
        wanted = [part(name) for name in names]
        if len(found) == len(images) and len({*wanted}) == rows and found.keys() >= {*wanted}:
            return [found[name] for name in wanted]
    known = {_last_part(image.file_name) for image in images}
    line = next((i for i, name in enumerate(names) if _last_part(name) not in known), None)
    problem = (
        "it has images of the same name, or the list names one twice"
        if line is None
        else f"line {line + 1} of {listing.name} is {names[line]!r}, but no image has that name"
    )
    raise DataError(
        f"{path} cannot be matched to the features: {problem}; correct it, or remove {path.name}"
    )


def _last_part(name: str) -> str:
    return PurePosixPath(name).name
