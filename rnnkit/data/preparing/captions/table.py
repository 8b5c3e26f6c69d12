"""Tables of captions, whatever is between their columns: a header, then a picture and a caption in each row."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.form import Said
from rnnkit.data.preparing.captions.records import CAPTIONS, NAMES, SPLITS, named


@attrs.frozen
class Columns:
    """Which column is which.

    Attributes:
        count: of all columns.
        name: of the pictures' names.
        caption: of the captions.
        split: of the names of splits, if there is one.
    """

    count: int
    name: int
    caption: int
    split: int | None

    def said(
        self, place: str, fields: Sequence[str], between: str, mistakes: Mistakes
    ) -> Said | None:
        """What a row says; commas of a caption in the last column may stand there without quotes."""
        if len(fields) > self.count == self.caption + 1:
            fields = [*fields[: self.caption], between.join(fields[self.caption :])]
        if len(fields) != self.count:
            mistakes.add(
                place,
                f"it has {len(fields)} fields, but the header has {self.count}; put captions with "
                f"{between!r} into quotation marks",
            )
            return None
        split = None if self.split is None else fields[self.split].strip() or None
        return Said(
            place,
            fields[self.name],
            ((place, fields[self.caption].strip()),),
            split and SPLITS.get(split, split),
        )


def columns_of(header: Sequence[str]) -> Columns | None:
    """The columns that a header names; None if it is none of such a table."""
    fields = [field.strip().strip('"').lower() for field in header]
    name, caption = named(fields, NAMES), named(fields, CAPTIONS)
    if name is None or caption is None:
        return None
    split = fields.index("split") if "split" in fields else None
    return Columns(len(fields), fields.index(name), fields.index(caption), split)
