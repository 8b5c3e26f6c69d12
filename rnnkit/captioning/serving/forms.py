"""Forms, `multipart/form-data` (RFC 7578), taken apart as they come; Starlette's would be written to disk."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import attrs
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

PHOTO: Final = "photo"
"""The field that has the photo."""

MOST_FIELDS: Final = 64


@attrs.define
class _Part:
    name: bytes = b""
    data: io.BytesIO = attrs.field(factory=io.BytesIO)


class Form:
    """What has come of a form so far."""

    def __init__(self, content_type: str) -> None:
        """`content_type` has the boundary."""
        self._parts: list[_Part] = []
        self._header = bytearray()
        self._value = bytearray()
        self._ended = False
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise _wrong("its type names no boundary")
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_begin": self._begin_header,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": self._add,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _wrong(str(error)) from error

    def write(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            HTTPException: it is of no form, 400.
        """
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _wrong(str(error)) from error

    def truncate(self, size: int) -> None:
        """Forget the ends of all fields that are larger."""
        for part in self._parts:
            part.data.truncate(size)

    def end(self) -> None:
        """Make sure that it is whole.

        Raises:
            HTTPException: it is not, 400.
        """
        if not self._ended:
            raise _wrong("its end is missing")

    @property
    def photo(self) -> bytes:
        """The photo; empty if there is none."""
        return next((p.data.getvalue() for p in self._parts if p.name == PHOTO.encode()), b"")

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Names and values of all else."""
        return [
            (part.name.decode(errors="replace"), part.data.getvalue().decode(errors="replace"))
            for part in self._parts
            if part.name != PHOTO.encode()
        ]

    def _begin(self) -> None:
        if len(self._parts) == MOST_FIELDS:
            raise _wrong(f"it has more than {MOST_FIELDS} fields")
        self._parts.append(_Part())

    def _begin_header(self) -> None:
        self._header.clear()
        self._value.clear()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            options = parse_options_header(bytes(self._value))[1]
            self._parts[-1].name = options.get(b"name", b"")

    def _add(self, data: bytes, start: int, end: int) -> None:
        self._parts[-1].data.write(data[start:end])

    def _end(self) -> None:
        self._ended = True


def _wrong(what: str) -> HTTPException:
    return HTTPException(400, f"the form cannot be read: {what}")
