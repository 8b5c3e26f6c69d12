"""Flickr30k's results.csv, whose columns are parted by | and have no quotation marks.

Source: P. Young, A. Lai, M. Hodosh, J. Hockenmaier, From Image Descriptions to Visual Denotations, TACL 2, 2014.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from rnnkit.data.annotations import Annotations
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.form import Form, Said, gather
from rnnkit.data.preparing.captions.table import columns_of

_NUMBER_AND_CAPTION: Final = re.compile(r"\s*(\d+)\s+(\S.*)")


class Flickr30k(Form):
    """A header, then a picture, the number of a caption and the caption in each line."""

    looks: ClassVar = (
        "Flickr30k's results.csv: the header image_name| comment_number| comment, and such lines"
    )

    def recognizes(self, file: CaptionFile) -> bool:
        """By the header."""
        return any("|" in head and columns_of(head.split("|")) for head in file.head[:1])

    def read(self, file: CaptionFile) -> Annotations:
        """The images, in the order of the lines that first name them."""
        mistakes = Mistakes(file.path)
        return gather(file, self._said(file, mistakes), mistakes)

    def _said(self, file: CaptionFile, mistakes: Mistakes) -> Iterator[Said]:
        lines = file.lines()
        columns = columns_of(next(lines)[1].split("|"))
        for number, line in lines if columns else ():
            fields = line.split("|")
            if columns and len(fields) == columns.count - 1:  # as in a line of the published file
                last = _NUMBER_AND_CAPTION.fullmatch(fields[-1])
                fields[-1:] = last.groups() if last else fields[-1:]
            said = columns and columns.said(f"line {number}", fields, "|", mistakes)
            if said:
                yield said
