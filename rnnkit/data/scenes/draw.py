"""Scenes to pixels: signed distances, so that edges are anti-aliased, on an uneven, grainy ground."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rnnkit.data.scenes.world import COLOURS, SIDE, Object, Scene
from rnnkit.kinds.arrays import Array, Rng

Pixels = npt.NDArray[np.uint8]


def draw(scenes: Sequence[Scene], rng: Rng) -> Pixels:
    """Pictures of scenes.

    Returns:
        (n, SIDE, SIDE, 3), RGB.
    """
    canvas = _ground(len(scenes), rng)
    for picture, scene in zip(canvas, scenes, strict=True):
        for o in scene.objects:
            _paint(picture, o, rng)
    canvas += rng.normal(0.0, 1.2, (len(scenes), SIDE, SIDE, 1)).astype(np.float32)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _ground(n: int, rng: Rng) -> Array:
    """Greys with a tint, a slope of brightness in some direction and soft blotches, (n, SIDE, SIDE, 3)."""
    across = np.linspace(-1.0, 1.0, SIDE)
    base = rng.uniform(45.0, 210.0, (n, 1)) + rng.uniform(-10.0, 10.0, (n, 3))
    slope = rng.uniform(-20.0, 20.0, (2, n, 1))
    ramp = slope[0][:, :, None] * across[:, None] + slope[1][:, :, None] * across
    knots = 5
    nearness = np.maximum(
        0.0, 1.0 - abs((across[:, None] + 1) / 2 * (knots - 1) - np.arange(knots))
    )
    blotches = nearness @ rng.normal(0.0, 7.0, (n, knots, knots)) @ nearness.T
    ground: Array = (ramp + blotches)[..., None] + base[:, None, None, :]
    return ground.astype(np.float32)


def _paint(picture: Array, o: Object, rng: Rng) -> None:
    """Cover part of a picture (SIDE, SIDE, 3) with an object, in a shade of its colour."""
    shade = np.array(COLOURS[o.thing.colour]) * rng.uniform(0.88, 1.04) + rng.normal(0.0, 5.0, 3)
    half = math.ceil(1.5 * o.radius) + 2
    x0, y0 = max(0, int(o.x) - half), max(0, int(o.y) - half)
    patch = picture[y0 : int(o.y) + half, x0 : int(o.x) + half]
    y, x = np.mgrid[y0 : y0 + patch.shape[0], x0 : x0 + patch.shape[1]] + 0.5
    cos, sin = math.cos(math.radians(o.turn)), math.sin(math.radians(o.turn))
    u = ((x - o.x) * cos + (y - o.y) * sin) / o.radius
    v = ((y - o.y) * cos - (x - o.x) * sin) / o.radius
    cover = np.clip(0.5 - o.radius * _DISTANCE[o.thing.shape](u, v), 0.0, 1.0)[..., None]
    patch += (cover * (shade - patch)).astype(np.float32)


# Signed distances to the edge, negative inside, of shapes of radius 1 around the origin; v points down.


def _circle(u: Array, v: Array) -> Array:
    distance: Array = np.hypot(u, v) - 1.0
    return distance


def _square(u: Array, v: Array) -> Array:
    distance: Array = np.maximum(abs(u), abs(v)) - 0.89
    return distance


def _triangle(u: Array, v: Array) -> Array:
    distance: Array = np.maximum(v, math.sqrt(0.75) * abs(u) - 0.5 * v) - 0.75
    return distance


def _diamond(u: Array, v: Array) -> Array:
    half_width, half_height = 1.05, 1.5
    height = half_width * half_height / math.hypot(half_width, half_height)
    return height * (abs(u) / half_width + abs(v) / half_height - 1.0)


def _cross(u: Array, v: Array) -> Array:
    length, half_width = 1.2, 0.4
    bars = (
        np.maximum(abs(u) - length, abs(v) - half_width),
        np.maximum(abs(v) - length, abs(u) - half_width),
    )
    distance: Array = np.minimum(*bars)
    return distance


def _star(u: Array, v: Array) -> Array:
    """Five points up to 1.5 from the centre, five notches at 0.68."""
    tip, notch, step = 1.5, 0.68, math.pi / 5
    angle = np.arctan2(u, -v) % (2 * step)
    angle = np.minimum(angle, 2 * step - angle)
    along, off = np.hypot(u, v) * np.cos(angle), np.hypot(u, v) * np.sin(angle)
    du, dv = notch * math.cos(step) - tip, notch * math.sin(step)
    distance: Array = (dv * (along - tip) - du * off) / math.hypot(du, dv)
    return distance


_DISTANCE: dict[str, Callable[[Array, Array], Array]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "diamond": _diamond,
    "cross": _cross,
    "star": _star,
}
