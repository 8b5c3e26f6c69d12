"""Flickr8k.token.txt, and the lists Flickr_8k.trainImages.txt, devImages and testImages beside it.

Source: M. Hodosh, P. Young, J. Hockenmaier, Framing Image Description as a Ranking Task, JAIR 47, 2013.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Final

from rnnkit.data.annotations import Annotations
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.form import Form, Said, gather, picture_name
from rnnkit.errors import listed, quoted

_LINE: Final = re.compile(r"\s*(?P<name>\S.*?)#\d+\s*\t(?P<caption>.*)")

_LISTS: Final = {"train": "train", "dev": "val", "test": "test"}


class Flickr8k(Form):
    """A line for each caption: the picture, the caption's number and the caption."""

    looks: ClassVar = (
        "Flickr8k.token.txt: name.jpg#0<TAB>caption in each line, "
        "with Flickr_8k.trainImages.txt, devImages and testImages beside it or not"
    )

    def recognizes(self, file: CaptionFile) -> bool:
        """By the number of the first caption."""
        return any(map(_LINE.match, file.head))

    def read(self, file: CaptionFile) -> Annotations:
        """The images, in the splits of the lists if there are some."""
        splits = _splits(file.path.parent)
        mistakes = Mistakes(file.path)
        said = [*self._said(file, splits, mistakes)]
        names = {picture_name(one.file_name) for one in said}
        silent = sorted(splits.keys() - names)
        note = f"{len(silent):,} images of the lists have no caption: {listed(silent, 3)}"
        unlisted = {name for name in names if splits and name not in splits}
        return gather(file, said, mistakes, [note] if silent else (), unlisted)

    def _said(
        self, file: CaptionFile, splits: Mapping[str, str], mistakes: Mistakes
    ) -> Iterator[Said]:
        for number, line in file.lines():
            place = f"line {number}"
            found = _LINE.fullmatch(line)
            if found is None:
                mistakes.add(place, f"{quoted(line)} is not of the form name.jpg#0<TAB>caption")
                continue
            split = splits.get(picture_name(found["name"]))
            yield Said(place, found["name"], ((place, found["caption"]),), split)


def _splits(folder: Path) -> dict[str, str]:
    """The split of each picture that a list has; empty if there is no list."""
    splits: dict[str, str] = {}
    for part, split in _LISTS.items():
        path = folder / f"Flickr_8k.{part}Images.txt"
        if not path.exists():
            continue
        mistakes = Mistakes(path)
        for number, line in CaptionFile(path).lines():
            first = splits.setdefault(picture_name(line), split)
            if first != split:
                mistakes.add(
                    f"line {number}", f"{picture_name(line)} is in the list of {first}, too"
                )
        mistakes.tell()
    return splits
