"""Where in a TOML document each value stands, which `tomllib` does not tell.

The document is known to be valid when it comes here, so the scanner needs no error handling.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final, TypeAlias

from rnnkit.errors import cut

Path: TypeAlias = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
"""A key that needs no quotes."""
_OTHER: Final = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")
_ESCAPE: Final = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(["\\bfnrt]))')
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def show(path: Path) -> str:
    """A path as people write it: `model.rnn[0].cell`."""
    return cut("".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip("."))


def lines_of(source: str) -> dict[Path, int]:
    """The line, from 1, of every key, table header and array element of a valid TOML document."""
    return _Scanner(source).document()


class _Scanner:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.ends = [found.start() for found in re.finditer("\n", source)]
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}

    def document(self) -> dict[Path, int]:
        table: Path = ()
        while self.skip_blank() < len(self.source):
            start = self.at
            if self.source.startswith("[", start):
                array = self.source.startswith("[[", start)
                self.at += 2 if array else 1
                table = self.header(self.key(), array)
                self.note(table, start)
                self.at = self.source.index("]", self.at) + (2 if array else 1)
            else:
                self.pair(table)
        return self.lines

    def header(self, keys: list[str], array: bool) -> Path:
        """The full path of a table header: a name of an array of tables means its newest element."""
        path: Path = ()
        for key in keys[:-1]:
            path = self.newest((*path, key))
        path = (*path, keys[-1])
        if array:
            self.lines.setdefault(path, self.line(self.at))
            self.counts[path] = self.counts.get(path, -1) + 1
            return (*path, self.counts[path])
        return path

    def newest(self, path: Path) -> Path:
        return (*path, self.counts[path]) if path in self.counts else path

    def pair(self, table: Path) -> None:
        start = self.at
        path = table
        for key in self.key():
            path = (*path, key)
            self.lines.setdefault(path, self.line(start))
        self.at = self.source.index("=", self.at) + 1
        self.value(path)

    def value(self, path: Path) -> None:
        self.skip_blank()
        opening = self.source[self.at]
        if opening == "[":
            self.at += 1
            index = 0
            while self.source[self.skip_blank()] != "]":
                self.note((*path, index), self.at)
                self.value((*path, index))
                index += 1
            self.at += 1
        elif opening == "{":
            self.at += 1
            while self.source[self.skip_blank()] != "}":
                self.pair(path)
            self.at += 1
        else:
            found = _STRING.match(self.source, self.at) or _OTHER.match(self.source, self.at)
            assert found is not None
            self.at = found.end()

    def key(self) -> list[str]:
        """A dotted key, its parts bare or quoted."""
        parts: list[str] = []
        while True:
            self.skip_blank()
            quoted = _STRING.match(self.source, self.at)
            found = quoted or BARE.match(self.source, self.at)
            assert found is not None
            self.at = found.end()
            parts.append(_unquoted(found[0]) if quoted else found[0])
            if self.source[self.skip_blank()] != ".":
                return parts
            self.at += 1

    def skip_blank(self) -> int:
        found = _BLANK.match(self.source, self.at)
        assert found is not None
        self.at = found.end()
        return self.at

    def note(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, self.line(at))

    def line(self, at: int) -> int:
        return bisect_left(self.ends, at) + 1


def _unquoted(text: str) -> str:
    if text.startswith("'"):
        return text[1:-1]
    return _ESCAPE.sub(
        lambda m: chr(int(m[1] or m[2], 16)) if not m[3] else _ESCAPED.get(m[3], m[3]), text[1:-1]
    )
