"""A folder of photos with a text file beside each: harbour.txt beside harbour.jpg, a caption in each line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from rnnkit.data.annotations import Annotations
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.form import Form, Said, gather
from rnnkit.errors import listed

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
        photos = _photos(file.path)
        texts = {text for photo in photos for text in _texts_of(photo)}
        alone = sorted(
            str(path.relative_to(file.path))
            for path in file.path.rglob("*")
            if path.suffix.lower() in _TEXTS and path not in texts
        )
        note = (
            f"{len(alone):,} texts have no photo beside them and were left out: {listed(alone, 3)}"
        )
        said = self._said(file.path, photos)
        return gather(file, said, Mistakes(file.path), [note] if alone else ())

    def _said(self, folder: Path, photos: list[Path]) -> Iterator[Said]:
        for photo in photos:
            name = photo.relative_to(folder).as_posix()
            captions = [
                (f"{text.relative_to(folder)}, line {number}", line.strip())
                for text in _texts_of(photo)
                if text.stat().st_size
                for number, line in CaptionFile(text).lines()
            ]
            yield Said(name, name, tuple(captions))


def _photos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)


def _texts_of(photo: Path) -> list[Path]:
    """harbour.txt or harbour.jpg.txt."""
    names = (photo.with_suffix(s) for s in _TEXTS), (Path(f"{photo}{s}") for s in _TEXTS)
    return [path for paths in names for path in paths if path.is_file()]
