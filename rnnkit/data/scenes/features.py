"""Pictures to features, from their pixels alone: a fixed bank of filters, in the place of a CNN.

Filters: how strongly each pixel is coloured, its hue (soft membership in 6 hues), and its edges, turned into
harmonics of the edge's direction, u^k with u = (gx + i gy) / |g|: a square has a strong 4th harmonic, a triangle
a strong 3rd one, a circle has none (the Fourier coefficients of an orientation histogram; Dalal & Triggs,
"Histograms of oriented gradients for human detection", 2005).

Windows: each filter is pooled over the whole picture and over two halves each way, cut where the coloured mass falls
apart best (Otsu, "A threshold selection method from gray-level histograms", 1979, over columns and rows in place
of grey levels). So two objects of one colour are still told apart.
"""

from __future__ import annotations

import math

import numpy as np

from rnnkit.data.scenes.draw import Pixels
from rnnkit.data.scenes.world import SIDE
from rnnkit.kinds.arrays import Array

_HUES = np.radians([0.0, 30.0, 55.0, 130.0, 225.0, 280.0]).astype(np.float32)
_SHARP = 12.0  # of the membership exp(sharp (cos(hue - h) - 1))
_HARMONICS = (2, 3, 4, 5, 6, 8)
_AXIS = np.linspace(-1.0, 1.0, SIDE, dtype=np.float32)


def features(pixels: Pixels) -> Array:
    """pixels (n, h, w, 3) -> (n, F) float32, not standardized."""
    raw = [_pool(pixels[i : i + 128]) for i in range(0, len(pixels), 128)]
    return np.concatenate(raw)


def _pool(pixels: Pixels) -> Array:
    n = len(pixels)
    hue, mass = _colour(pixels)
    windows, axis = _windows(mass)
    maps = [mass, *_memberships(hue, mass), *_edges(mass)]
    stack = np.stack([m.reshape(n, -1) for m in maps], axis=1)  # (n, maps, pixels)
    pooled = stack @ windows.reshape(n, len(windows[0]), -1).transpose(0, 2, 1)  # (n, maps, windows)
    area = pooled[:, :1]
    colours = pooled[:, 1:7] / (area + 1.0)
    rim = pooled[:, 7:8]
    k = len(_HARMONICS)
    re, im = pooled[:, 8 : 8 + k] / (rim + 1.0), pooled[:, 8 + k :] / (rim + 1.0)
    size = np.sqrt(area)
    shape = [rim / (size + 1.0), re, np.hypot(re, im)]
    place = _moments(mass, windows)
    descr = np.concatenate([size, area / 100, colours, *shape, place], axis=1)  # (n, D, windows)
    out = np.concatenate([descr.reshape(n, -1), axis], axis=1)
    return out.astype(np.float32)


def _colour(pixels: Pixels) -> tuple[Array, Array]:
    red, green, blue = np.moveaxis(pixels.astype(np.float32), -1, 0)
    alpha, beta = red - 0.5 * (green + blue), math.sqrt(0.75) * (green - blue)
    chroma = np.hypot(alpha, beta)
    return np.arctan2(beta, alpha), np.clip((chroma - 30.0) / 60.0, 0.0, 1.0)


def _memberships(hue: Array, mass: Array) -> list[Array]:
    near = [np.exp(_SHARP * (np.cos(hue - h) - 1.0)) * mass for h in _HUES]
    return near


def _edges(mass: Array) -> list[Array]:
    gy, gx = np.gradient(mass, axis=(1, 2))
    g = (gx + 1j * gy).astype(np.complex64)
    size = abs(g)
    unit = g / np.maximum(size, 1e-6)
    power = {1: unit}
    for k in range(2, max(_HARMONICS) + 1):
        power[k] = power[k - 1] * unit
    waves = [power[k] * size for k in _HARMONICS]
    return [size, *(w.real for w in waves), *(w.imag for w in waves)]


def _windows(mass: Array) -> tuple[Array, Array]:
    """(n, 3, h, w) windows and (n, 2)."""
    n = len(mass)
    bx, sx, vx = _otsu(mass.sum(axis=1))
    by, sy, vy = _otsu(mass.sum(axis=2))
    horizontal = (sx > sy)
    first = np.where(horizontal[:, None, None], bx[:, None, :], by[:, :, None])
    two = (np.where(horizontal, vx, vy) < 0.15).astype(np.float32)[:, None, None]
    windows = np.stack([np.ones_like(first), first * two + 1 - two, (1 - first) * two], axis=1)
    return windows, np.stack([horizontal, two[:, 0, 0]], axis=1).astype(np.float32)


def _otsu(profile: Array) -> tuple[Array, Array, Array]:
    p = profile / (profile.sum(axis=1, keepdims=True) + 1e-6)
    w = np.cumsum(p, axis=1)
    m = np.cumsum(p * _AXIS, axis=1)
    between = (m[:, -1:] * w - m) ** 2 / (w * (1.0 - w) + 1e-4)
    cut = between[:, :-1].argmax(axis=1)
    k = np.arange(SIDE)
    before = (k <= cut[:, None]).astype(np.float32)
    near = np.where((abs(k - cut[:, None]) <= 2), p, 1.0).min(axis=1) / p.max(axis=1)
    return before, between.max(axis=1), near


def _moments(mass: Array, windows: Array) -> Array:
    """Centre and spread, (n, 5, windows)."""
    n = len(mass)
    y, x = np.meshgrid(_AXIS, _AXIS, indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y]).reshape(6, -1)
    weighted = (windows * mass[:, None]).reshape(n, windows.shape[1], -1)
    m = weighted @ basis.T  # (n, windows, 6)
    m = m[..., 1:] / (m[..., :1] + 1e-3)
    mx, my = m[..., 0], m[..., 1]
    return np.stack([mx, my, m[..., 2] - mx * mx, m[..., 3] - my * my, m[..., 4] - mx * my], axis=1)
