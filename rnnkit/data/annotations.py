"""Captions in COCO's annotation form, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import attrs

from rnnkit.data.mistakes import Mistakes
from rnnkit.data.texts import read_json
from rnnkit.data.tokenizer import tokenize
from rnnkit.errors import DataError, quoted

ImageId: TypeAlias = int | str

_ADDRESSES = ("coco_url", "url", "flickr_url")  # in order of preference


@attrs.frozen
class AnnotatedImage:
    """An image, and what people said of it.

    Attributes:
        id: by which annotations and features name it.
        place: in the file, such as images[3].
        file_name: of the picture.
        split: the part of the data that the file puts it into, if it says so.
        address: where to see it in the web, if the file says so.
        captions: as they were written, in the order of the file; each has words.
    """

    id: ImageId
    place: str
    file_name: str
    split: str | None
    address: str | None
    captions: tuple[str, ...]


@attrs.frozen
class Annotations:
    """What a file in COCO's annotation form says.

    Attributes:
        images: in the order of the file, also those without captions.
        numbers_as_text: captions whose image_id is the text of a number, and the image's id the number, or the
            other way round, as "7" and 7; both name the same image.
        notes: what else to tell the user of how the file was read, a sentence each.
        unlisted: file names of the images that no list of a split has, where the file has such lists with it.
    """

    images: tuple[AnnotatedImage, ...]
    numbers_as_text: int = 0
    notes: tuple[str, ...] = ()
    unlisted: frozenset[str] = frozenset()


def id_text(image_id: ImageId) -> str:
    """What tells images apart: the text of the id, so that 7 and "7" are the same."""
    return str(image_id).strip()


def read_annotations(path: Path) -> Annotations:
    """Read a file in COCO's annotation form.

    Args:
        path: JSON, `{"images": [{"id", "file_name", ..}], "annotations": [{"image_id", "caption"}]}`; an image
            may also say its `split` and an address (`coco_url`, `url` or `flickr_url`).

    Raises:
        DataError: the file cannot be read, is of another form, names an image twice, has a caption of an image
            it does not have, or one without words. It tells all mistakes at once.
    """
    return annotations_in(read_json(path), path)


def annotations_in(content: object, path: Path) -> Annotations:
    """What the content of a file in COCO's annotation form says; see `read_annotations`."""
    if not isinstance(content, dict):
        raise DataError(f"{path} is not an object with the lists images and annotations")
    listed = _list(path, content, "images")
    annotations = _list(path, content, "annotations")
    mistakes = Mistakes(path)
    images: dict[str, AnnotatedImage] = {}
    for i, item in enumerate(listed):
        image = _read_image(f"images[{i}]", item, mistakes)
        if image is None:
            continue
        first = images.setdefault(id_text(image.id), image)
        if first is not image:
            mistakes.add(
                image.place,
                f"it has the id {image.id!r} of {first.place}; every image needs an id of its own",
            )
    unreadable = len(images) < len(listed)
    captions: dict[str, list[str]] = {name: [] for name in images}
    numbers_as_text = 0
    for i, item in enumerate(annotations):
        read = _read_annotation(f"annotations[{i}]", item, mistakes)
        if read is None:
            continue
        image_id, caption = read
        name = id_text(image_id)
        if name in images:
            numbers_as_text += type(image_id) is not type(images[name].id)
            captions[name].append(caption)
        elif not unreadable:  # else it may be of one of those
            mistakes.add(
                f"annotations[{i}]",
                f"image_id is {quoted(image_id)}, but none of the {len(images)} images has that id; add "
                "the image, or leave the caption out",
            )
    mistakes.tell()
    return Annotations(
        tuple(
            attrs.evolve(image, captions=tuple(captions[name])) for name, image in images.items()
        ),
        numbers_as_text,
    )


def _list(path: Path, content: Mapping[str, object], name: str) -> list[object]:
    found = content.get(name)
    if not isinstance(found, list) or not found:
        raise DataError(
            f"{path} has no {name}; expected COCO's form, "
            '{"images": [{"id", "file_name"}, ..], "annotations": [{"image_id", "caption"}, ..]}'
        )
    return found


def _read_image(place: str, item: object, mistakes: Mistakes) -> AnnotatedImage | None:
    """The image, or None if it cannot be told apart from others."""
    if not isinstance(item, dict):
        mistakes.add(place, f"it is {quoted(item)}, but must be an object")
        return None
    image_id, name, split = (
        _id(place, item, "id", mistakes),
        item.get("file_name"),
        item.get("split"),
    )
    if not isinstance(name, str) or not name.strip() or not name.strip().isprintable():
        mistakes.add(place, f"file_name is {quoted(name)}, but must be the name of a picture")
        name = ""
    if split is not None and not isinstance(split, str):
        mistakes.add(place, f"split is {quoted(split)}, but must be a name such as train or val")
        split = None
    addresses = (item.get(key) for key in _ADDRESSES)
    address = next((a for a in addresses if isinstance(a, str) and a and a.isprintable()), None)
    if image_id is None:
        return None
    return AnnotatedImage(image_id, place, name.strip(), split, address, ())


def _read_annotation(place: str, item: object, mistakes: Mistakes) -> tuple[ImageId, str] | None:
    """The image and the text of a caption, or None if the one or the other is wrong."""
    if not isinstance(item, dict):
        mistakes.add(place, f"it is {quoted(item)}, but must be an object")
        return None
    image_id, caption = _id(place, item, "image_id", mistakes), item.get("caption")
    if not isinstance(caption, str):
        mistakes.add(place, f"caption is {quoted(caption)}, but must be text")
        return None
    if not tokenize(caption):
        mistakes.add(
            place,
            f"the caption {quoted(caption)} of image {quoted(image_id)} has no words; write one, or leave "
            "it out",
        )
        return None
    return None if image_id is None else (image_id, caption)


def _id(place: str, fields: Mapping[str, object], name: str, mistakes: Mistakes) -> ImageId | None:
    value = fields.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int | str) or isinstance(value, bool):
        mistakes.add(place, f"{name} is {quoted(value)}, but must be a whole number or text")
        return None
    return value
