"""Text and JSON files read, in one spelling of Unicode, with DataErrors for what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from rnnkit.data.mistakes import Mistakes
from rnnkit.errors import DataError
from rnnkit.system.unicode import composed, lone_surrogate
from rnnkit.system.why import JSON, TEXT, check_ordinary, why


def read_text(path: Path) -> str:
    """The whole of a UTF-8 text file, in normalization form C.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    return composed(_read(path))


def read_json(path: Path, *, spelled: bool = False) -> object:
    """What a JSON file holds, its texts in normalization form C, or as they are spelled in the file.

    Raises:
        DataError: it cannot be read, is something else, or has half a character in a text.
    """
    return json_in(_read(path), path, spelled=spelled)


def json_in(text: str, path: Path, *, spelled: bool = False) -> object:
    """What the text of a JSON file holds; see `read_json`."""
    try:
        content: object = json.loads(text)
        if not spelled and ("\\u" in text or not text.isascii()):
            content = _composed(content)
    except (ValueError, RecursionError) as error:
        raise DataError(why(error, path, JSON)) from error
    if re.search(r"\\u[dD]", text):
        mistakes = Mistakes(path)
        for place, half in _halves(content, ""):
            mistakes.add(
                place.lstrip("."),
                f"the text has the lone surrogate {half}, half of a character; write the whole "
                "character, or leave it out",
            )
        mistakes.tell()
    return content


def _composed(value: object) -> object:
    if isinstance(value, str):
        return composed(value)
    if isinstance(value, list):
        return [_composed(item) for item in value]
    if isinstance(value, dict):
        return {composed(key): _composed(item) for key, item in value.items()}
    return value


def _halves(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Place and name of each lone surrogate."""
    if isinstance(value, str):
        half = lone_surrogate(value)
        if half is not None:
            yield place, half
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _halves(item, f"{place}[{i}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _halves(key, f"{place}.{key!a}")
            yield from _halves(item, f"{place}.{key if key.isidentifier() else ascii(key)}")


def _read(path: Path) -> str:
    try:
        check_ordinary(path)
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError, MemoryError) as error:
        raise DataError(why(error, path, TEXT)) from error
