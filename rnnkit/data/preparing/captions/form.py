"""What a form of caption files is, and how what it says becomes images with captions."""

from __future__ import annotations

import abc
import re
from collections.abc import Iterable
from typing import ClassVar, Final

import attrs

from rnnkit.data.annotations import AnnotatedImage, Annotations, ImageId, id_text
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.tokenizer import tokenize
from rnnkit.errors import DataError, quoted

_CERTAIN: Final = re.compile("[A-Za-z0-9]")
"""What is a word, or part of one; quicker to find than all words are."""


class Form(abc.ABC):
    """One way to write captions down.

    Attributes:
        looks: what a file of this form looks like, for the message that lists what is read.
    """

    looks: ClassVar[str]

    @abc.abstractmethod
    def recognizes(self, file: CaptionFile) -> bool:
        """Whether a file is of this form, by its content."""

    @abc.abstractmethod
    def read(self, file: CaptionFile) -> Annotations:
        """The images of a file that is of this form.

        Raises:
            DataError: the file has mistakes; all of them are told at once.
        """


@attrs.frozen
class Said:
    """What one place of a file says of a picture.

    Attributes:
        place: such as line 7, or images[3].
        file_name: of the picture.
        captions: place and text of each.
        split: the part of the data that the picture is in, if the file says so.
        id: if the form names a picture by more than its file; else one picture may be told of in several places.
    """

    place: str
    file_name: str
    captions: tuple[tuple[str, str], ...]
    split: str | None = None
    id: ImageId | None = None


def gather(
    file: CaptionFile,
    said: Iterable[Said],
    mistakes: Mistakes,
    notes: Iterable[str] = (),
    unlisted: Iterable[str] = (),
) -> Annotations:
    """The images of a file, each once, in the order in which they are first told of.

    Args:
        file: what is read.
        said: of pictures; it may add to `mistakes`.
        mistakes: what is wrong with the file.
        notes: what else to tell the user.
        unlisted: file names of images that no list of a split has, where there are such lists.

    Raises:
        DataError: there are mistakes, or there is no image.
    """
    images: dict[str, AnnotatedImage] = {}
    for one in said:
        name = picture_name(one.file_name)
        if not name or not name.isprintable():
            mistakes.add(one.place, f"{quoted(one.file_name)} must be the name of a picture")
            continue
        captions = tuple(
            text for place, text in one.captions if _has_words(place, text, name, mistakes)
        )
        image_id = name if one.id is None else one.id
        image = AnnotatedImage(image_id, one.place, name, one.split, None, captions)
        first = images.setdefault(id_text(image_id), image)
        if first is image:
            continue
        if one.id is not None:
            mistakes.add(
                one.place,
                f"it has the id {one.id!r} of {first.place}; every image needs an id of its own",
            )
        elif first.split != one.split:
            mistakes.add(
                one.place,
                f"{name} is in the split {quoted(one.split)}, but in {quoted(first.split)} in {first.place}; "
                "an image is in one",
            )
        else:
            images[id_text(image_id)] = attrs.evolve(first, captions=first.captions + captions)
    mistakes.tell()
    if not images:
        raise DataError(f"{file.path} has no captions; write some, or name another file")
    return Annotations(
        tuple(images.values()),
        notes=(*file.notes, *notes),
        unlisted=frozenset(map(picture_name, unlisted)),
    )


def picture_name(written: str) -> str:
    """The name of a picture, with / between folders, as it may be written on Windows."""
    return written.strip().replace("\\", "/").removeprefix("./")


def _has_words(place: str, caption: str, name: str, mistakes: Mistakes) -> bool:
    if _CERTAIN.search(caption) or tokenize(caption):
        return True
    mistakes.add(
        place,
        f"the caption {quoted(caption)} of {name} has no words; write one, or leave it out",
    )
    return False
