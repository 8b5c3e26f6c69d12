"""Caption files in any form: which form each is of, and what several of them say together."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from rnnkit.data.annotations import AnnotatedImage, Annotations, id_text
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.beside import Beside
from rnnkit.data.preparing.captions.coco import Coco
from rnnkit.data.preparing.captions.comma import Comma
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.flickr8k import Flickr8k
from rnnkit.data.preparing.captions.flickr30k import Flickr30k
from rnnkit.data.preparing.captions.form import Form
from rnnkit.data.preparing.captions.json_lines import JsonLines
from rnnkit.data.preparing.captions.karpathy import Karpathy
from rnnkit.data.preparing.captions.neuraltalk import NeuralTalk
from rnnkit.data.preparing.captions.records import SPLITS
from rnnkit.errors import DataError, listed, quoted

FORMS: Final[tuple[Form, ...]] = (
    Karpathy(),
    Coco(),
    NeuralTalk(),
    JsonLines(),
    Flickr8k(),
    Flickr30k(),
    Comma(),
    Beside(),
)
"""All that are read; the first that recognizes a file reads it."""

_METADATA: Final = ("metadata.jsonl", "metadata.csv")
"""What says the captions of a folder of images."""


def read_captions(paths: Sequence[Path]) -> tuple[Annotations, Path]:
    """The images of caption files, and what errors call these: the file, or the folder that all are in.

    Several files may be of several forms. Each is a split if its name, or that of its folder, says which, such as
    captions_val2014.json, and nothing in it says another.

    Raises:
        DataError: a file is of no form that is read, or has mistakes; or an image is in two files that are
            different splits, or give it an id that is another image's.
    """
    if len(paths) == 1:
        return _read(paths[0]), paths[0]
    folder = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    images: dict[str, AnnotatedImage] = {}
    found = [_read(path) for path in paths]
    for path, said in zip(paths, found, strict=True):
        mistakes = Mistakes(path)
        where = path.absolute().relative_to(folder)
        split = _split_of(path)
        for image in said.images:
            new = attrs.evolve(image, place=f"{where}: {image.place}", split=image.split or split)
            first = images.setdefault(id_text(image.id), new)
            if first is new:
                continue
            if (first.file_name, first.split) != (new.file_name, new.split):
                mistakes.add(
                    image.place,
                    f"image {image.id!r} ({new.file_name}, split {new.split}) is in {first.place}, too "
                    f"({first.file_name}, split {first.split}); an image is in one split, and has an id of its own",
                )
            images[id_text(image.id)] = attrs.evolve(first, captions=first.captions + new.captions)
        mistakes.tell()
    together = Annotations(
        tuple(images.values()),
        sum(said.numbers_as_text for said in found),
        tuple(note for said in found for note in said.notes),
        frozenset(name for said in found for name in said.unlisted),
    )
    return together, folder


def _read(path: Path) -> Annotations:
    if path.is_dir():
        path = next((path / name for name in _METADATA if (path / name).is_file()), path)
    file = CaptionFile(path)
    form = next((form for form in FORMS if form.recognizes(file)), None)
    if form is None:
        read = "\n".join(f"  {form.looks}" for form in FORMS)
        raise DataError(f"{path} is {_what_is(file)}, but caption files are one of these:\n{read}")
    return form.read(file)


def _split_of(path: Path) -> str | None:
    """The split that the name of a file, or else of its folder, has in it as a word."""
    for name in (path.stem, path.absolute().parent.name):
        found = re.search(r"(?<![a-z])(train|val|test|dev|valid|validation)(?![a-z])", name.lower())
        if found:
            return SPLITS.get(found[1], found[1])
    return None


def _what_is(file: CaptionFile) -> str:
    if file.path.is_dir():
        return f"a folder with {listed(sorted(path.name for path in file.path.iterdir()), 5)}"
    if isinstance(file.content, dict):
        return f"a JSON object with {listed(file.content, 5)}"
    if isinstance(file.content, list):
        first = file.content[0] if file.content else None
        of = f"an object with {listed(first, 5)}" if isinstance(first, dict) else quoted(first)
        return f"a JSON list, first {of}"
    return f"text that begins with {quoted(file.head[0])}"
