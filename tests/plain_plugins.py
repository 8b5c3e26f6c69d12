"""A right cell, layer and activation in parts, for tests to replace one part with a mistake or an unusual style."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import attrs
import numpy as np

from rnnkit.kinds import (
    Activation,
    Array,
    Cell,
    DType,
    Layer,
    NoParams,
    Params,
    Plugin,
    Rng,
    State,
    weights,
)
from rnnkit.testing.checks import Check, checks_of_class
from rnnkit.testing.examine import Finding

Kept: TypeAlias = tuple[Array, Array, Array]


@attrs.frozen
class Weights(Params):
    Wx: Array
    Wh: Array
    b: Array


@attrs.frozen
class PlainCell(Cell[Weights, State, Kept]):
    """h' = f(x Wx + h Wh + b), with f = tanh."""

    def f(self, z: Array) -> Array:
        return np.tanh(z)

    def df(self, z: Array) -> Array:
        slope: Array = 1.0 - np.tanh(z) ** 2
        return slope

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> Weights:
        return Weights(
            weights(None, in_features, hidden, rng, dtype),
            weights(None, hidden, hidden, rng, dtype),
            np.zeros(hidden, dtype),
        )

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: Weights, x: Array, s: State) -> tuple[State, Kept]:
        z = x @ p.Wx + s.h @ p.Wh + p.b
        return State(self.f(z)), (x, s.h, z)

    def step_back(self, p: Weights, ds: State, cache: Kept) -> tuple[Array, State, Weights]:
        x, h, z = cache
        return self.spread(p, x, h, ds.h * self.df(z))

    def spread(self, p: Weights, x: Array, h: Array, dz: Array) -> tuple[Array, State, Weights]:
        """From dz to all that z is made of."""
        return dz @ p.Wx.T, State(dz @ p.Wh.T), Weights(x.T @ dz, h.T @ dz, dz.sum(axis=0))


@attrs.frozen
class PlainLayer(Layer[Array, NoParams, Any]):
    """y = tanh(x)."""

    def out_features(self, in_features: int) -> int:
        return in_features

    def init(self, in_features: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        y = np.tanh(x)
        return y, y.copy()

    def backward(self, p: NoParams, dy: Array, cache: Any) -> tuple[Array, NoParams]:
        return dy * (1.0 - cache * cache), p


@attrs.frozen
class PlainActivation(Activation):
    """y = tanh(x)."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        return np.tanh(x), x

    def backward(self, dy: Array, saved: Array) -> Array:
        dx: Array = dy * (1.0 - np.tanh(saved) ** 2)
        return dx


def checks(cls: type[Plugin]) -> list[Check]:
    return list(checks_of_class(cls, cls.__name__))


def failures(cls: type[Plugin], seed: int = 0) -> dict[str, Finding]:
    """What fails, by the id of the check."""
    found = {check.id: check.run(seed).explained() for check in checks(cls)}
    return {id: finding for id, finding in found.items() if not finding.ok}


def said(cls: type[Plugin], seed: int = 0) -> set[str]:
    """`law: sentence` of whatever fails."""
    return set(sentences(cls, seed))


def sentences(cls: type[Plugin], seed: int = 0) -> Iterator[str]:
    """`law: sentence` of each check that fails."""
    for check in checks(cls):
        finding = check.run(seed)
        if not finding.ok:
            yield f"{finding.broken}: {finding.text}"
