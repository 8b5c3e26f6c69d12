"""Pictures of any size brought to the square that a network takes."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np

from rnnkit.data.photos.opening import pillow
from rnnkit.kinds import Picture

Fit: TypeAlias = Literal["squash", "crop", "pad"]
Interpolation: TypeAlias = Literal["nearest", "bilinear", "bicubic", "lanczos"]

_LONGEST: Final = 8
"""Of a picture to crop, its longer side by its shorter one: what a long one loses is far from the middle."""


def fit_picture(
    picture: Picture,
    size: int,
    fit: Fit = "squash",
    interpolation: Interpolation = "bicubic",
    shorter: int | None = None,
) -> Picture:
    """A picture of size x size pixels.

    Args:
        picture: (height, width, 3), of any size.
        size: of a side.
        fit: squash the whole picture into the square; crop the square in the middle; or pad the whole picture
            with black at its shorter sides.
        interpolation: as Pillow has it: filters that are widened where a picture is made smaller.
        shorter: to crop, what the shorter side is resized to before; `size` if left open.

    Returns:
        (size, size, 3).
    """
    image = pillow()
    resample = image.Resampling[interpolation.upper()]
    if fit == "crop":
        picture = _middle(picture, *(_LONGEST * min(picture.shape[:2]),) * 2)
    height, width, _ = picture.shape
    if fit == "squash":
        to = size, size
    elif fit == "crop":
        short = max(size, shorter or size)
        to = short * width // min(height, width), short * height // min(height, width)
    else:
        longer = max(height, width)
        to = max(1, round(size * width / longer)), max(1, round(size * height / longer))
    resized = np.asarray(image.fromarray(picture).resize(to, resample))
    if fit != "pad":
        return _middle(resized, size, size)
    square = np.zeros((size, size, 3), np.uint8)
    top, left = (size - to[1]) // 2, (size - to[0]) // 2
    square[top : top + to[1], left : left + to[0]] = resized
    return square


def _middle(picture: Picture, height: int, width: int) -> Picture:
    """What is left when a picture is cut to at most this height and width around its middle."""
    top, left = (
        max(0, round((now - to) / 2))
        for now, to in zip(picture.shape[:2], (height, width), strict=True)
    )
    return picture[top : top + height, left : left + width]
