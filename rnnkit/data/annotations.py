"""Captions in COCO's annotation form, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs

from rnnkit.data.texts import read_json
from rnnkit.data.tokenizer import tokenize
from rnnkit.errors import DataError

ImageId: TypeAlias = int | str

_ADDRESSES = ("coco_url", "url", "flickr_url")  # in order of preference


@attrs.frozen
class AnnotatedImage:
    """An image, and what people said of it.

    Attributes:
        id: by which annotations and features name it.
        file_name: of the picture.
        split: the part of the data that the file puts it into, if it says so.
        address: where to see it in the web, if the file says so.
        captions: as they were written, in the order of the file; each has words.
    """

    id: ImageId
    file_name: str
    split: str | None
    address: str | None
    captions: tuple[str, ...]


def read_annotations(path: Path) -> list[AnnotatedImage]:
    """Read a file in COCO's annotation form.

    Args:
        path: JSON, `{"images": [{"id", "file_name", ..}], "annotations": [{"image_id", "caption"}]}`; an image
            may also say its `split` and an address (`coco_url`, `url` or `flickr_url`).

    Returns:
        The images in the order of the file, also those without captions.

    Raises:
        DataError: the file cannot be read, is of another form, names an image twice, has a caption of an image
            it does not have, or one without words.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path} is not an object with the lists images and annotations")
    images = [
        _read_image(f"{path}: images[{i}]", image)
        for i, image in enumerate(_list(path, content, "images"))
    ]
    captions = _read_captions(path, _list(path, content, "annotations"), images)
    return [attrs.evolve(image, captions=tuple(captions[image.id])) for image in images]


def _list(path: Path, content: Mapping[str, object], name: str) -> list[object]:
    found = content.get(name)
    if not isinstance(found, list) or not found:
        raise DataError(
            f"{path} has no {name}; expected COCO's form, "
            '{"images": [{"id", "file_name"}, ..], "annotations": [{"image_id", "caption"}, ..]}'
        )
    return found


def _read_image(place: str, image: object) -> AnnotatedImage:
    fields = _object(place, image)
    name, split = fields.get("file_name"), fields.get("split")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise DataError(f"{place}: file_name is {name!r}, but must be the name of a picture")
    if split is not None and not isinstance(split, str):
        raise DataError(f"{place}: split is {split!r}, but must be a name such as train or val")
    addresses = (fields.get(key) for key in _ADDRESSES)
    address = next((a for a in addresses if isinstance(a, str) and a and a.isprintable()), None)
    return AnnotatedImage(_id(place, fields, "id"), name, split, address, ())


def _read_captions(
    path: Path, annotations: Sequence[object], images: Sequence[AnnotatedImage]
) -> dict[ImageId, list[str]]:
    """The captions of every image, also of those that have none."""
    captions: dict[ImageId, list[str]] = {}
    for i, image in enumerate(images):
        if image.id in captions:
            raise DataError(
                f"{path}: images[{i}] has the id {image.id!r} of an image before it; every image needs "
                "an id of its own"
            )
        captions[image.id] = []
    for i, annotation in enumerate(annotations):
        place = f"{path}: annotations[{i}]"
        fields = _object(place, annotation)
        image_id, caption = _id(place, fields, "image_id"), fields.get("caption")
        if image_id not in captions:
            raise DataError(
                f"{place}: image_id is {image_id!r}, but none of the {len(images)} images has that id; "
                "add the image, or leave the caption out"
            )
        if not isinstance(caption, str):
            raise DataError(f"{place}: caption is {caption!r}, but must be text")
        if not tokenize(caption):
            raise DataError(
                f"{place}: the caption {caption!r} of image {image_id!r} has no words; write one, or "
                "leave it out"
            )
        captions[image_id].append(caption)
    return captions


def _object(place: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise DataError(f"{place} is {value!r}, but must be an object")
    return value


def _id(place: str, fields: Mapping[str, object], name: str) -> ImageId:
    value = fields.get(name)
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise DataError(f"{place}: {name} is {value!r}, but must be a whole number or text")
    return value
