"""PNG files of 8-bit RGB pictures (W3C, "Portable Network Graphics", third edition)."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2  # filter type: each byte less the one above it; makes flat regions compress


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The file of a picture, pixels (h, w, 3)."""
    height, width, _ = pixels.shape
    rows = pixels.reshape(height, 3 * width)
    filtered = np.full((height, 1 + 3 * width), _UP, np.uint8)
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB
    data = zlib.compress(filtered.tobytes(), 4)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
