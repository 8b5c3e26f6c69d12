"""A photo, whatever it comes as, opened as an encoder takes it: upright, RGB, 8 bits a channel."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING, Final, TypeAlias, Union

import numpy as np
import numpy.typing as npt

from rnnkit.errors import DataError, MissingPackage
from rnnkit.kinds import Picture
from rnnkit.system.why import PICTURE, check_ordinary, what_is, why

if TYPE_CHECKING:
    from PIL import Image

Photo: TypeAlias = Union[str, "os.PathLike[str]", bytes, "Image.Image", npt.NDArray[np.uint8]]
"""The path of a picture file, its bytes, a picture of Pillow's, or an array (h, w), (h, w, 3) or (h, w, 4)."""

MOST_PIXELS: Final = 89_000_000
"""A small file may declare more than memory holds; cameras and phones stay below, and Pillow warns above."""

FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")


def open_photo(photo: Photo, name: str | None = None) -> Picture:
    """The pixels of a photo.

    It is turned upright as its EXIF orientation says. Grey, palettes and CMYK become RGB, what is transparent
    becomes white, 16 bits a channel become the upper 8, and an animation is its first picture.

    Args:
        photo: a path, the bytes of a file, a picture of Pillow's, or an array (h, w), (h, w, 3) or (h, w, 4) of
            uint8. It stays as it is.
        name: what errors call it; its path, if left open.

    Returns:
        (height, width, 3), uint8, red, green and blue; new.

    Raises:
        DataError: it cannot be read, is no picture, is damaged or cut short, or declares more than 89 million
            pixels; or Pillow is missing.
    """
    image = pillow()
    if isinstance(photo, np.ndarray):
        name = name or "the array"
        _check_array(photo, name)
        return _pixels(image.fromarray(np.ascontiguousarray(photo)), name)
    if isinstance(photo, bytes):
        return _decode(io.BytesIO(photo), name or "the picture")
    if isinstance(photo, image.Image):
        return _pixels(photo, name or "the picture")
    if not isinstance(photo, str | os.PathLike):
        raise DataError(
            "a photo is a path, the bytes of a file, a picture of Pillow's or an array, not "
            f"{type(photo).__name__}"
        )
    path = Path(photo)
    try:
        check_ordinary(path)
        with path.open("rb") as file:
            return _decode(file, name or str(path))
    except (OSError, ValueError) as error:
        raise DataError(why(error, path, PICTURE)) from error


def declared_pixels(photo: Path | bytes) -> int:
    """How many pixels a photo says it has; 0 if it does not say it, and why, `open_photo` tells."""
    image = pillow()
    try:
        file = io.BytesIO(photo) if isinstance(photo, bytes) else photo
        with image.open(file, formats=FORMATS) as opened:
            width, height = opened.size
            return int(width * height)
    except Exception:  # Pillow raises whatever a damaged header leads to
        return 0


def pillow() -> ModuleType:
    """Pillow's module of images, imported when a picture is to be opened.

    Raises:
        MissingPackage: it is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingPackage('pictures need Pillow: pip install "rnnkit[photos]"') from error
    return Image


def _decode(file: IO[bytes], name: str) -> Picture:
    image = pillow()
    head = file.read(4096)
    file.seek(0)
    try:
        with image.open(file, formats=FORMATS) as opened:
            return _pixels(opened, name)
    except image.UnidentifiedImageError:
        raise DataError(f"{name} {_no_picture(head)}") from None
    except (image.DecompressionBombError, image.DecompressionBombWarning) as error:
        raise DataError(
            f"{name} is refused: it has far more pixels than {MOST_PIXELS:,}, which are the most"
        ) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow raises whatever a damaged header leads to
        raise DataError(f"{name} {_damaged(error)}") from error


def _pixels(image: Image.Image, name: str) -> Picture:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise DataError(
            f"{name} is refused: it has {width} x {height} pixels, and {MOST_PIXELS:,} are the most"
        )
    if not width * height:
        raise DataError(f"{name} has no pixels")
    try:
        image.load()
        return np.array(_rgb(_upright(image), name))
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow raises whatever damaged data lead to
        raise DataError(f"{name} {_damaged(error)}") from error


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    with contextlib.suppress(Exception):  # notes of a camera that cannot be read turn nothing
        return ImageOps.exif_transpose(image)
    return image


def _rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _upper_bits(image, name)
    if image.mode == "F":
        raise DataError(
            f"{name} has floating-point pixels, and does not say which is white; save it with 8 bits a channel"
        )
    if not image.has_transparency_data:
        return image.convert("RGB")
    white: Image.Image = pillow().new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


def _upper_bits(image: Image.Image, name: str) -> Image.Image:
    """Grey of 16 bits, which Pillow would clip."""
    grey = np.asarray(image)
    if grey.min() < 0 or grey.max() >= 1 << 16:
        raise DataError(f"{name} has more than 16 bits a channel; save it with 8 bits a channel")
    upper: Image.Image = pillow().fromarray((grey >> 8).astype(np.uint8))
    return upper.convert("RGB")


def _check_array(photo: npt.NDArray[np.uint8], name: str) -> None:
    if photo.dtype != np.uint8:
        raise DataError(
            f"{name} has values of type {photo.dtype}; give uint8, 0 to 255, such as "
            "(255 * photo).astype(numpy.uint8) of one from 0 to 1"
        )
    if photo.ndim != 2 and (photo.ndim != 3 or photo.shape[2] not in (3, 4)):
        raise DataError(
            f"{name} has shape {photo.shape}; a picture is (h, w), (h, w, 3) or (h, w, 4)"
        )
    if not photo.size:
        raise DataError(f"{name} has no pixels")


def _no_picture(head: bytes) -> str:
    """What a file is that Pillow knows nothing of."""
    if not head:
        return "is empty; write or download it again"
    what, _, mend = (what_is(head) or "").partition("; ")
    if what.endswith("picture") and not mend:
        return f"is a damaged picture: it begins like {what}; write or download it again"
    formats = ", ".join(FORMATS)
    if what:
        return (
            f"is not a picture that can be read: it is {what}; {mend or f'give one in {formats}'}"
        )
    return f"is not a picture in {formats}: it begins with {head[:8]!r}"


def _damaged(error: Exception) -> str:
    return f"is a damaged picture, or cut short ({error}); write or download it again"
