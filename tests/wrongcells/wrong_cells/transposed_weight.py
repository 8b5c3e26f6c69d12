"""h' = tanh(x Wx + h Wh + b); Wx (D, H), Wh (H, H), b (H,).

Wrong: the gradient of Wh is transposed, which fits, as Wh is square.
"""

from __future__ import annotations

import math

import attrs
import numpy as np

from rnnkit.kinds import Array, Cell, DType, Params, Rng, State


@attrs.frozen
class ElmanParams(Params):
    Wx: Array  # (D, H)
    Wh: Array  # (H, H)
    b: Array  # (H,)


@attrs.frozen
class ElmanCache:
    x: Array
    h_prev: Array
    h: Array


@attrs.frozen
class TransposedWeight(Cell[ElmanParams, State, ElmanCache]):
    """The plain recurrent network, free form."""

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> ElmanParams:
        def weights(rows: int) -> Array:
            return rng.standard_normal((rows, hidden)).astype(dtype) / math.sqrt(rows)

        return ElmanParams(weights(in_features), weights(hidden), np.zeros(hidden, dtype))

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: ElmanParams, x: Array, s: State) -> tuple[State, ElmanCache]:
        h = np.tanh(x @ p.Wx + s.h @ p.Wh + p.b)
        return State(h), ElmanCache(x, s.h, h)

    def step_back(
        self, p: ElmanParams, ds: State, cache: ElmanCache
    ) -> tuple[Array, State, ElmanParams]:
        dz = ds.h * (1.0 - cache.h**2)
        dp = ElmanParams(Wx=cache.x.T @ dz, Wh=dz.T @ cache.h_prev, b=dz.sum(axis=0))
        return dz @ p.Wx.T, State(dz @ p.Wh.T), dp
