"""Messages between the judge and a submission: JSON, and arrays as plain bytes; never pickles, and never endless."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

MOST_BYTES = 64_000_000
"""Of one message."""
_HEAD = struct.Struct("<IQ")
_KINDS = "fiubc"


class Garbled(Exception):
    """What came is no message, or the other side has ended."""


def pack(message: Any, arrays: Sequence[Any] = ()) -> bytes:
    """A message as bytes.

    Args:
        message: what JSON can say.
        arrays: of numbers, that the message speaks of by their places.
    """
    laid = [np.ascontiguousarray(a) for a in arrays]
    forms = [[a.dtype.str, list(np.shape(b))] for a, b in zip(laid, arrays, strict=True)]
    head = json.dumps([message, forms]).encode()
    body = b"".join(a.tobytes() for a in laid)
    if len(head) + len(body) > MOST_BYTES:
        raise Garbled(f"more than {MOST_BYTES:,} bytes are to be handed over")
    return _HEAD.pack(len(head), len(body)) + head + body


def unpack(read: Callable[[int], bytes]) -> tuple[Any, list[Any]]:
    """The next message.

    Args:
        read: gives as many bytes as it is asked for, or fewer at the end.

    Raises:
        Garbled: it is none.
    """
    try:
        head_size, body_size = _HEAD.unpack(_whole(read, _HEAD.size))
        if head_size + body_size > MOST_BYTES:
            raise Garbled(f"a message of {head_size + body_size:,} bytes")
        message, forms = json.loads(_whole(read, head_size))
        return message, list(_arrays(_whole(read, body_size), forms))
    except (ValueError, TypeError, RecursionError, struct.error) as e:
        raise Garbled(f"{type(e).__name__}: {e}") from e


def _whole(read: Callable[[int], bytes], size: int) -> bytes:
    parts = []
    while size:
        part = read(min(size, 1 << 20))
        if not part:
            raise Garbled("the other side has ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _arrays(body: bytes, forms: Any) -> Iterator[Any]:
    at = 0
    for form, shape in forms:
        dtype = np.dtype(str(form))
        if dtype.kind not in _KINDS or any(type(n) is not int or n < 0 for n in shape):
            raise Garbled(f"an array of {form} with shape {shape}")
        size = dtype.itemsize * int(np.prod(shape, dtype=object))
        if at + size > len(body):
            raise Garbled("an array is cut off")
        yield np.frombuffer(body[at : at + size], dtype).reshape(shape).copy()
        at += size


def described(value: Any, arrays: list[Any], depth: int = 4) -> Any:
    """What a function has returned, as JSON; arrays of numbers go to the list."""
    if value is None:
        return {"none": True}
    if isinstance(value, (np.ndarray, np.generic, float, int, complex)):
        a = np.asarray(value)
        if a.dtype.kind in _KINDS:
            arrays.append(a)
            return {"array": len(arrays) - 1}
    if depth and isinstance(value, (tuple, list)):
        return {"items": [described(v, arrays, depth - 1) for v in value[:1000]]}
    if depth and isinstance(value, dict):
        pairs = list(value.items())[:1000]
        return {"named": [[str(k), described(v, arrays, depth - 1)] for k, v in pairs]}
    return {"other": type(value).__name__}


def restored(form: Any, arrays: Sequence[Any]) -> Any:
    """The value that was described.

    Raises:
        Garbled: it is no description.
    """
    match form:
        case {"none": True}:
            return None
        case {"array": int(i)} if 0 <= i < len(arrays):
            return arrays[i]
        case {"items": [*items]}:
            return tuple(restored(item, arrays) for item in items)
        case {"named": [*pairs]}:
            return {str(k): restored(v, arrays) for k, v in pairs}
        case {"other": str(name)}:
            return Other(name[:80])
    raise Garbled("no description of a value")


class Other:
    """Something that is no array of numbers."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"a {self.name}"
