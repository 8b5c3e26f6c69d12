"""A folder of photos with a text file beside each: harbour.txt beside harbour.jpg, a caption in each line."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from rnnkit.data.annotations import Annotations
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.form import Form, Said, gather
from rnnkit.errors import listed
from rnnkit.system.files import files_below

PICTURES: Final = frozenset(
    f".{suffix}"
    for suffix in ("jpg", "jpeg", "jpe", "png", "gif", "bmp", "webp", "tif", "tiff", "ppm", "pgm")
)
"""Suffixes of photos."""

_TEXTS: Final = (".txt", ".caption")


class Beside(Form):
    """A folder, with folders in it or not."""

    looks: ClassVar = "a folder with a text file beside each photo: harbour.txt beside harbour.jpg"

    def recognizes(self, file: CaptionFile) -> bool:
        """By a photo that has a text beside it."""
        return file.path.is_dir() and any(_texts_of(photo) for photo in _photos(file.path))

    def read(self, file: CaptionFile) -> Annotations:
        """The photos by name, with the lines of their texts."""
        texts = {photo: _texts_of(photo) for photo in _photos(file.path)}
        beside = {text for of_photo in texts.values() for text in of_photo}
        opened = {text: CaptionFile(text) for text in beside if text.stat().st_size}
        alone = {
            path
            for path in files_below(file.path)
            if path.suffix.lower() in _TEXTS and path not in beside
        }
        foreign = {text for text, content in opened.items() if content.notes}
        notes = [
            f"{len(found):,} texts {what}: {listed(sorted(_name(t, file.path) for t in found), 3)}"
            for found, what in (
                (alone, "have no photo beside them and were left out"),
                (foreign, "are not UTF-8, and were read as Latin-1"),
            )
            if found
        ]
        said = (
            Said(
                _name(photo, file.path),
                _name(photo, file.path),
                tuple(
                    (f"{_name(text, file.path)}, line {number}", line.strip())
                    for text in of_photo
                    if text in opened
                    for number, line in opened[text].lines()
                ),
            )
            for photo, of_photo in texts.items()
        )
        return gather(file, said, Mistakes(file.path), notes)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _photos(folder: Path) -> list[Path]:
    return [path for path in files_below(folder) if path.suffix.lower() in PICTURES]


def _texts_of(photo: Path) -> list[Path]:
    """harbour.txt or harbour.jpg.txt."""
    names = (photo.with_suffix(s) for s in _TEXTS), (Path(f"{photo}{s}") for s in _TEXTS)
    return [path for paths in names for path in paths if path.is_file()]
