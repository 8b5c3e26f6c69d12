"""Tables of comma-separated values: Kaggle's captions.txt, and the metadata.csv of a folder of images."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import ClassVar, Final

from rnnkit.data.annotations import Annotations
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.form import Form, Said, gather
from rnnkit.data.preparing.captions.table import columns_of

_BETWEEN: Final = (",", ";", "\t")


class Comma(Form):
    """A header and rows as RFC 4180 has them; semicolons or tabs may be in the place of commas."""

    looks: ClassVar = "a table with the header image,caption (Kaggle's captions.txt) or file_name,text (metadata.csv)"

    def recognizes(self, file: CaptionFile) -> bool:
        """By the header."""
        return _between(file) is not None

    def read(self, file: CaptionFile) -> Annotations:
        """The images, in the order of the rows that first name them."""
        mistakes = Mistakes(file.path)
        return gather(file, self._said(file, mistakes), mistakes)

    def _said(self, file: CaptionFile, mistakes: Mistakes) -> Iterator[Said]:
        between = _between(file) or ","
        a_row = re.compile(rf"[^{between}]*\.\w{{2,5}}{between}")
        lines = file.text.split("\n")
        rows = csv.reader(io.StringIO(file.text), delimiter=between)
        columns, before = None, 0
        while True:
            try:
                fields = next(rows, None)
            except csv.Error as error:
                mistakes.add(
                    f"line {before + 1}", f"it cannot be read ({error}); see its quotation marks"
                )
                return
            if fields is None:
                return
            first, before = before, rows.line_num
            place = f"line {first + 1}"
            if any(map(a_row.match, lines[first + 1 : before])):
                mistakes.add(
                    place,
                    "a quotation mark opens a field that has the next rows in it; close it, or double it if "
                    "it is of the caption",
                )
            elif columns is None:
                columns = columns_of(fields)
            elif any(field.strip() for field in fields):
                said = columns.said(place, fields, between, mistakes)
                if said is not None:
                    yield said


def _between(file: CaptionFile) -> str | None:
    """What is between the columns; None if the first line is no header of captions."""
    heads = file.head[:1]
    return next((b for b in _BETWEEN for head in heads if columns_of(head.split(b))), None)
