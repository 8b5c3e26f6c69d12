"""Images told of by objects with fields, whatever they are called: a name, captions, perhaps a split and an id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rnnkit.data.annotations import ImageId
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.form import Said
from rnnkit.errors import listed, quoted

NAMES: Final = (
    "file_name",
    "filename",
    "file_path",
    "filepath",
    "image",
    "image_name",
    "image_path",
)
"""What the name of a picture is called; the first that is there counts."""

CAPTIONS: Final = ("captions", "caption", "text", "comment")
"""What its captions are called."""

SPLITS: Final = {"dev": "val", "valid": "val", "validation": "val"}
"""Other names of the split val."""


def named(fields: Sequence[str] | Mapping[str, object], names: Sequence[str]) -> str | None:
    """The first of the names that is one of the fields."""
    return next((name for name in names if name in fields), None)


def is_record(item: object) -> bool:
    """Whether an object has a name and captions."""
    return isinstance(item, dict) and None not in (named(item, NAMES), named(item, CAPTIONS))


def said_by(place: str, record: object, mistakes: Mistakes) -> Said | None:
    """What an object says of a picture; None if it is not told which picture."""
    if not isinstance(record, dict):
        mistakes.add(place, f"it is {quoted(record)}, but must be an object")
        return None
    field, texts = named(record, NAMES), named(record, CAPTIONS)
    if field is None or texts is None:
        missing = NAMES if field is None else CAPTIONS
        mistakes.add(
            place, f"it has {listed(record)}, but none of {listed(missing)}; add the one you mean"
        )
        return None
    name = record[field]
    if not isinstance(name, str):
        mistakes.add(place, f"{field} is {quoted(name)}, but must be the name of a picture")
        return None
    return Said(
        place,
        name,
        tuple(_captions(place, texts, record[texts], mistakes)),
        split_of(place, record, mistakes),
        image_id(place, record, ("id",), mistakes),
    )


def _captions(
    place: str, field: str, value: object, mistakes: Mistakes
) -> Iterator[tuple[str, str]]:
    several = isinstance(value, list)
    for k, caption in enumerate(value if isinstance(value, list) else [value]):
        which = f"{field}[{k}]" if several else field
        if isinstance(caption, str):
            yield f"{place}.{which}" if several else place, caption
        else:
            mistakes.add(place, f"{which} is {quoted(caption)}, but must be text")


def split_of(place: str, fields: Mapping[str, object], mistakes: Mistakes) -> str | None:
    """The split that an object names, if it does."""
    split = fields.get("split")
    if split is None or isinstance(split, str):
        return split and SPLITS.get(split, split)
    mistakes.add(place, f"split is {quoted(split)}, but must be a name such as train or val")
    return None


def image_id(
    place: str, fields: Mapping[str, object], names: Sequence[str], mistakes: Mistakes
) -> ImageId | None:
    """The id that an object gives its image, if it does."""
    name = named(fields, names)
    value = None if name is None else fields[name]
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return value
    mistakes.add(place, f"{name} is {quoted(value)}, but must be a whole number or text")
    return None
