"""Plugins that are wrong in few places only: wherever that is, some check goes there and says what holds no more."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest

from rnnkit.kinds import Array, NoParams, Plugin, Rng, State
from tests.plain_plugins import Kept, PlainCell, PlainLayer, Weights, said


@attrs.frozen
class ClipsGradients(PlainCell):
    def step_back(self, p: Weights, ds: State, cache: Kept) -> tuple[Array, State, Weights]:
        dx, before, dp = super().step_back(p, ds, cache)
        return np.clip(dx, -9e9, 9e9), before, dp


@attrs.frozen
class DropsTinyGradients(PlainCell):
    def step_back(self, p: Weights, ds: State, cache: Kept) -> tuple[Array, State, Weights]:
        x, h, z = cache
        dz = ds.h * self.df(z)
        return self.spread(p, x, h, np.where(np.abs(dz) < 1e-9, 0.0, dz))


@attrs.frozen
class TwoSlots(State):
    c: Array


@attrs.frozen
class LooksForZeros(PlainLayer):
    """Takes a row for one without a gradient if the first number of its own is 0."""

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        dx, _ = super().backward(p, dy, cache)
        return np.where(dy[..., :1] == 0.0, 0.0, dx).astype(dy.dtype), p


BUFFERS: dict[Any, Array] = {}


def buffer(key: str, a: Array) -> Array:
    """The same memory for each array of this shape and type."""
    return BUFFERS.setdefault((key, a.shape, a.dtype), np.empty_like(a))


@attrs.frozen
class ReusesItsOutput(PlainLayer):
    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        y = np.tanh(x, out=buffer("y", x))
        return y, y.copy()


@attrs.frozen
class ReusesItsGradient(PlainLayer):
    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return np.multiply(dy, 1.0 - cache * cache, out=buffer("dx", dy)), p


@attrs.frozen
class WritesThroughRavel(PlainLayer):
    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        return np.tanh(x), np.tanh(x)

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        dx = np.zeros_like(cache)
        dx.ravel()[:] = (dy * (1.0 - cache**2)).ravel()
        return dx, p


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (
            ClipsGradients,
            "linear: 1e+18 times the cotangents do not make the gradient of 'x' 1e+18",
        ),
        (DropsTinyGradients, "linear: 9e-19 times the cotangents do not make the gradient of 'x'"),
        (LooksForZeros, "linear: the gradient of 'x' is not the sum of what comes from parts of"),
        (ReusesItsOutput, "results kept: output 'y' of forward changes when it runs again"),
        (ReusesItsGradient, "results kept: backward's gradient of 'x' changes when it runs again"),
        (
            WritesThroughRavel,
            "memory order: gradient of 'x' is another with arrays in Fortran order",
        ),
    ],
)
def test_a_mistake_that_shows_in_few_places_is_found_and_told(
    cls: type[Plugin], words: str
) -> None:
    found = said(cls)
    assert any(sentence.startswith(words) for sentence in found), found
