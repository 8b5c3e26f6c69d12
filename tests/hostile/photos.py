"""Pictures: damaged, of any form, under any name."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from PIL import Image

from tests.hostile.case import OUT, Base, Case
from tests.hostile.files import spoil

FORMS: Final = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
MODES: Final = ("RGB", "L", "RGBA", "P", "1", "CMYK", "I;16", "LA")
NAMES: Final = (
    "a",
    "-n",
    "--json",
    "two\nlines",
    "\x1b[31m",
    "a,b",
    '"',
    "ä" * 100,
    "\udcff",
    "~",
    "$(id)",
    "%00",
)


def make(rng: Random, folder: Path, base: Base) -> Case:
    """Three pictures, of which one is damaged, or what it says of itself is a lie, or its name is odd."""
    photos = folder / "photos"
    photos.mkdir()
    for i in (0, 2):
        _draw(i, 24, 20).save(photos / f"{i}.png")
    form = rng.choice(FORMS)
    file = photos / f"1.{form.lower()}"
    done = [_written(rng, file, form)]
    if rng.random() < 0.7:
        done.append(rng.choice((spoil, _declared, _cut))(rng, file))
    else:
        stem = rng.choice(NAMES)
        done.append(f"called {stem!a}")
        file = file.rename(photos / f"{stem}{file.suffix}")
    names = ["0.png", file.name, "2.png"]
    told = [{"image_id": i, "id": i, "caption": f"a red circle {i}"} for i in range(3)]
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    (folder / "captions.json").write_text(json.dumps({"images": images, "annotations": told}))
    prepare = ["data", "prepare", "--images", "photos", "--captions", "captions.json", "--out", OUT]
    command = rng.choice((
        ["caption", str(base.run), "photos"],
        ["caption", str(base.run), "photos", "--json"],
        ["caption", str(base.run), f"photos/{file.name}"],
        [*prepare, "--encoder", "scenes", "--min-count", "1"],
    ))  # fmt: skip
    return Case(": ".join(done), tuple(command))


def _draw(seed: int, width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def _written(rng: Random, file: Path, form: str) -> str:
    """A picture in a mode that its form may have, with notes of a camera that may be anything."""
    mode, size = rng.choice(MODES), rng.choice(((24, 20), (1, 1), (1, 3000), (300, 200)))
    picture = _draw(1, *size)
    notes: dict[str, Any] = {}
    if form in ("JPEG", "PNG", "WEBP", "TIFF") and rng.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = rng.choice((0, 3, 6, 9, 2**15))  # the orientation
        notes["exif"] = b"Exif\0\0" + rng.randbytes(40) if rng.random() < 0.5 else exif.tobytes()
    try:
        picture.convert(mode).save(file, form, **notes)
    except Exception:  # not this mode in that form, or not these notes
        mode = "RGB"
        picture.save(file, form)
    return f"{form} {mode} {size[0]}x{size[1]}{' with notes' if notes else ''}"


def _declared(rng: Random, file: Path) -> str:
    """Another size than the picture has; of a PNG with a checksum that is right."""
    data, size = bytearray(file.read_bytes()), rng.choice((0, 1, 40, 30_000, 2**31 - 1))
    if file.suffix == ".png":
        data[16:24] = struct.pack(">II", size, size)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif file.suffix == ".bmp":
        data[18:26] = struct.pack("<II", size, size)
    elif file.suffix == ".gif":
        data[6:10] = struct.pack("<HH", size & 0xFFFF, size & 0xFFFF)
    elif file.suffix == ".ppm":
        data = bytearray(b"P6 %d %d 255\n" % (size, size)) + data[-100:]
    else:
        data[:] = data.replace(b"\0\x14\0\x18", struct.pack(">HH", size & 0xFFFF, size & 0xFFFF))
    file.write_bytes(data)
    return f"declares {size}"


def _cut(rng: Random, file: Path) -> str:
    data = file.read_bytes()
    file.write_bytes(data[: rng.randrange(len(data))] + rng.choice((b"", data, bytes(10**6))))
    return "cut"
