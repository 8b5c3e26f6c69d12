"""Pictures to features, from their pixels alone: a fixed bank of filters, in the place of a CNN.

Filters: how strongly a pixel is coloured (its mass); its hue, as soft membership in six hues; and the
direction u of its edge as a complex number, u^k for some k. Pooled, these are the Fourier coefficients of
the histogram of edge directions (Dalal & Triggs, "Histograms of oriented gradients for human detection",
2005): a triangle is strong at k = 3, a square at 4, a star at 5, a circle nowhere.

Regions: each filter is pooled over the whole picture and over two regions of it (as in Anderson et al.,
"Bottom-up and top-down attention", 2018), so that two objects of one colour are told apart. The regions lie
on both sides of the straight cut at which the mass falls apart best (Otsu, "A threshold selection
method from gray-level histograms", 1979, with columns or rows in the place of grey levels). Where mass
lies on the cut there is one object only: the first region is the whole picture, the second one empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rnnkit.data.scenes.draw import Pixels
from rnnkit.kinds.arrays import Array, Mask

_HUES = (0, 30, 55, 130, 225, 280)  # degrees, red to purple
_NARROW = 12.0  # membership at the angle d from a hue is exp(narrow (cos d - 1))
_GREY, _COLOURED = 30.0, 90.0  # chroma up to which a pixel has no mass, and from which it has all
_WAVES = (2, 3, 4, 5, 6, 8)
_CLEAR = 0.15  # of the fullest column or row: a cut with less mass on it is clear
_BLOCK = 100  # pictures at a time, so that memory stays small


def features(pixels: Pixels) -> Array:
    """Features of pictures, not standardized.

    Args:
        pixels: (n, h, w, 3), RGB.

    Returns:
        (n, 78) float32: 26 each of the whole picture, of its first and of its second region. These are
        the root of the area, the area, the length of the rim by the root of the area; the share of
        each hue; the real part and the size of each wave by the rim; the mean of x and y, their variances
        and covariance.
    """
    blocks = [features_at_once(pixels[i : i + _BLOCK]) for i in range(0, len(pixels), _BLOCK)]
    return np.concatenate(blocks)


def features_at_once(pixels: Pixels) -> Array:
    """What `features` gives, computed for all pictures at once, which takes 4 MB for each."""
    mass, hue = _mass_and_hue(pixels)
    hues = [mass * np.exp(_NARROW * (np.cos(hue - math.radians(h)) - 1.0)) for h in _HUES]
    rim, waves = _edges(mass)
    y, x = np.meshgrid(
        *(np.linspace(-1, 1, k, dtype=np.float32) for k in mass.shape[1:]), indexing="ij"
    )
    moments = [mass * m for m in (x, y, x * x, y * y, x * y)]

    regions = _regions(mass)
    area, length = _pool([mass], regions), _pool([rim], regions)
    real, imag = (_pool(maps, regions) / (length + 1.0) for maps in zip(*waves, strict=True))
    mx, my, mxx, myy, mxy = _pool(moments, regions) / (area + 1e-3)
    size = np.sqrt(area)
    described = (
        *(size, area, length / (size + 1.0)),
        _pool(hues, regions) / (area + 1.0),
        *(real, np.hypot(real, imag)),
        np.stack([mx, my, mxx - mx * mx, myy - my * my, mxy - mx * my]),
    )
    return np.concatenate(described).transpose(1, 2, 0).reshape(len(pixels), -1)


def _mass_and_hue(pixels: Pixels) -> tuple[Array, Array]:
    """How strongly a pixel is coloured, 0 to 1, and its hue in radians; both (n, h, w)."""
    red, green, blue = np.moveaxis(pixels.astype(np.float32), -1, 0)
    alpha, beta = red - 0.5 * (green + blue), math.sqrt(0.75) * (green - blue)
    mass = np.clip((np.hypot(alpha, beta) - _GREY) / (_COLOURED - _GREY), 0.0, 1.0)
    return mass, np.arctan2(beta, alpha)


def _edges(mass: Array) -> tuple[Array, list[tuple[Array, Array]]]:
    """The steepness s of the mass, and the real and imaginary part of s u^k for each wave k; all (n, h, w)."""
    gy, gx = _slope(mass, 1), _slope(mass, 2)
    steepness = np.hypot(gx, gy)
    scale = 1.0 / np.maximum(steepness, 1e-6)
    a, b = gx * scale, gy * scale
    real: Array = steepness * a
    imag: Array = steepness * b
    waves: list[tuple[Array, Array]] = []
    for k in range(2, max(_WAVES) + 1):
        real, imag = real * a - imag * b, real * b + imag * a
        if k in _WAVES:
            waves.append((real, imag))
    return steepness, waves


def _slope(f: Array, axis: int) -> Array:
    """What `numpy.gradient` gives along an axis."""
    f = np.moveaxis(f, axis, 0)
    inside = (f[2:] - f[:-2]) / 2.0
    return np.moveaxis(np.concatenate([f[1:2] - f[:1], inside, f[-1:] - f[-2:-1]]), 0, axis)


def _pool(maps: Sequence[Array], regions: Array) -> Array:
    """The sum of each map over each region, (maps, n, regions)."""
    n, r = regions.shape[:2]
    sums = np.stack(maps, axis=1).reshape(n, len(maps), -1) @ np.swapaxes(
        regions.reshape(n, r, -1), 1, 2
    )
    return sums.transpose(1, 0, 2)


def _regions(mass: Array) -> Array:
    """All, the first and the second region, as weights of 0 and 1, (n, 3, h, w)."""
    left, apart_x, clear_x = _cut(mass.sum(axis=1))
    upper, apart_y, clear_y = _cut(mass.sum(axis=2))
    beside = apart_x > apart_y
    before = np.where(beside[:, None, None], left[:, None, :], upper[:, :, None])
    two = np.where(beside, clear_x, clear_y)[:, None, None]
    return np.stack([np.ones_like(before), before | ~two, ~before & two], axis=1).astype(mass.dtype)


def _cut(profile: Array) -> tuple[Mask, Array, Mask]:
    """Where to cut columns or rows of mass (n, k) in two.

    Returns:
        Whether each lies before the cut (n, k), how far apart the two sides are, and whether the cut is
        clear; both (n,).
    """
    p = profile / (profile.sum(axis=1, keepdims=True) + 1e-6)
    place = np.linspace(-1, 1, p.shape[1], dtype=p.dtype)
    share, mean = np.cumsum(p, axis=1), np.cumsum(p * place, axis=1)
    between = (mean[:, -1:] * share - mean) ** 2 / (share * (1.0 - share) + 1e-4)
    cut = between[:, :-1].argmax(axis=1)
    beyond = np.arange(p.shape[1]) - cut[:, None]
    on_cut = np.where(abs(beyond) <= 2, p, np.inf).min(axis=1)
    return beyond <= 0, between.max(axis=1), on_cut < _CLEAR * p.max(axis=1)
