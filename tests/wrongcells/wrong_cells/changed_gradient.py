"""u = sigmoid(z_u);  n = tanh(z_n);  h' = (1 - u) n + u h, gates in the order u, n.

Zhou et al., "Minimal gated unit for recurrent neural networks" (2016), without its reset.

Wrong: step_back writes into the gradient that it is given.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State
from rnnkit.numerics import sigmoid


@attrs.frozen
class MinimalCache:
    u: Array
    n: Array
    h_prev: Array


@attrs.frozen
class ChangedGradient(GatedCell[NoParams, State, MinimalCache]):
    """A unit with one gate."""

    x_gates: ClassVar[tuple[str, ...]] = ("u", "n")
    h_gates: ClassVar[tuple[str, ...]] = ("u", "n")

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, MinimalCache]:
        zu, zn = np.split(zx + zh, 2, axis=-1)
        u, n = sigmoid(zu), np.tanh(zn)
        return State(n + u * (s.h - n)), MinimalCache(u, n, s.h)

    def step_back(
        self, p: NoParams, ds: State, cache: MinimalCache
    ) -> tuple[Array, Array, State, NoParams]:
        u, n = cache.u, cache.n
        dn = ds.h * (1.0 - u) * (1.0 - n**2)
        du = ds.h * (cache.h_prev - n) * u * (1.0 - u)
        dz = np.concatenate((du, dn), axis=-1)
        dh = ds.h
        dh *= u
        return dz, dz, State(dh), p
