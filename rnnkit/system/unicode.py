"""Text in one spelling, so that what looks the same is the same."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def composed(text: str) -> str:
    """Unicode's normalization form C: letters and their marks are one character where there is one.

    Source: Unicode Standard Annex 15.
    """
    return unicodedata.normalize("NFC", text)


def invisible(character: str) -> bool:
    """Whether it is a control or format character, such as a soft hyphen, a byte order mark or a mark of direction."""
    return unicodedata.category(character) in ("Cc", "Cf")


def lone_surrogate(text: str) -> str | None:
    """The first half of a character without its other half, as `\\ud83d`; no such text can be written down."""
    found = None if text.isascii() else _SURROGATE.search(text)
    return None if found is None else f"\\u{ord(found[0]):04x}"
