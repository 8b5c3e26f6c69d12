"""A caption file opened: its text, whatever its encoding, and its content if it is JSON."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

from rnnkit.data.mistakes import Mistakes
from rnnkit.data.texts import json_in
from rnnkit.errors import DataError
from rnnkit.system.unicode import composed
from rnnkit.system.why import JSON, TEXT, check_ordinary, what_is, why

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_FOREIGN: Final = re.compile(rb"[\x80-\xff]+")

_LETTERS: Final = re.compile(rb"[\xc0-\xcf\xd1-\xd6\xd8-\xdc\xdf-\xef\xf1-\xf6\xf8-\xfc\xff]+")
"""Without the letters of Icelandic that are others in Turkish."""

_QUOTES: Final = b"\x85\x91\x92\x93\x94\x96\x97\xa0\xab\xbb"
"""Typographic signs of Windows-1252, as word processors write them."""


class CaptionFile:
    """A file, or a folder, in a form that is not known yet.

    Attributes:
        path: of it.
        text: what it holds, in normalization form C; empty for a folder.
        notes: what to tell the user of how it was read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: tuple[str, ...] = ()
        self.text = ""
        if not path.is_dir():
            text, self.notes = _decoded(path)
            self.text = composed(text.replace("\r\n", "\n").replace("\r", "\n"))
            if not self.text.strip():
                raise DataError(f"{path} is empty; write or download it again")

    def lines(self) -> Iterator[tuple[int, str]]:
        """Number and text of each line that is not blank."""
        for number, line in enumerate(self.text.split("\n"), start=1):
            if line.strip():
                yield number, line

    @cached_property
    def head(self) -> tuple[str, ...]:
        """The first two lines that are not blank, or fewer."""
        lines = (line.strip() for _, line in self.lines())
        return tuple(line for line, _ in zip(lines, range(2), strict=False))

    @cached_property
    def has_json_lines(self) -> bool:
        """Whether each line seems to be a JSON object of its own."""
        return len(self.head) == 2 and all(re.match(r"\{.*\}$", line) for line in self.head)

    @cached_property
    def content(self) -> object:
        """What it holds if it is JSON, else None.

        Raises:
            DataError: it is JSON that is cut short, or has a mistake.
        """
        if self.has_json_lines or not self.text.lstrip().startswith(("{", "[")):
            return None
        return json_in(self.text, self.path)


def _decoded(path: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a note if it is in another encoding than it should be."""
    try:
        check_ordinary(path)
        data = path.read_bytes()
        if data.startswith(_UTF_16):
            return data.decode("utf-16"), ()
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        if b"\0" in data[:4096] or what_is(data[:4096]) not in (None, JSON):
            raise DataError(why(error, path, TEXT)) from error
        if not _is_western(data):
            _tell_lines(path, data)
        return data.decode("cp1252"), (f"{path} is not UTF-8, and was read as Latin-1",)
    except (OSError, ValueError, MemoryError) as error:
        raise DataError(why(error, path, TEXT)) from error


def _is_western(data: bytes) -> bool:
    """Whether text that is not UTF-8 is certain to be Latin-1, or Windows-1252, which has all of its letters.

    All bytes above ASCII are letters beside others, at most two in a row, or typographic signs, and none of them
    makes a character of UTF-8. Other scripts have long rows of such bytes, other Latin alphabets signs among them.
    """
    for found in _FOREIGN.finditer(data):
        letters = found[0].strip(_QUOTES)
        beside = data[found.start() - 1 : found.start()] + data[found.end() : found.end() + 1]
        if not letters:
            continue
        alone = len(letters) > 1 and not re.search(rb"[A-Za-z]", beside)
        if len(letters) > 2 or alone or not _LETTERS.fullmatch(letters) or _is_utf_8(letters):
            return False
    return True


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _tell_lines(path: Path, data: bytes) -> None:
    mistakes = Mistakes(path)
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            mistakes.add(
                f"line {number}",
                f"byte {error.start} is {line[error.start]:#04x}, which is not UTF-8, and what else it may be is "
                "not certain; save the file as UTF-8",
            )
    mistakes.tell()
