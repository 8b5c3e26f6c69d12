"""u = sigmoid(z_u);  n = relu(z_n);  h' = u h + (1 - u) n

with z = x Wx + h Wh + b; Wx (D, 2H), Wh (H, 2H), b (2H,), gates in the order u, n.

Ravanelli, Brakel, Omologo & Bengio, "Light gated recurrent units for speech recognition" (2018), section III, their z
called u. Their batch normalization of x Wx is left out, as the rows of a batch must not see each other; a layer's
`input = "layer-norm"` is the nearest thing.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class LightGRUCache:
    u: Array
    n: Array
    h_prev: Array


@attrs.frozen
class LightGRU(GatedCell[NoParams, State, LightGRUCache]):
    """Light GRU: no reset gate, and a rectifier in the place of tanh.

    One gate mixes the old state with a rectified new value, which has no upper bound. Try it where a GRU is
    too slow; with recurrent weights that are too large it can diverge, so clip gradients.
    """

    x_gates: ClassVar[tuple[str, ...]] = ("u", "n")
    h_gates: ClassVar[tuple[str, ...]] = ("u", "n")

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, LightGRUCache]:
        zu, zn = blocks(np.add(zx, zh, out=zh), 2)
        u, n = sigmoid(zu), np.where(zn.real <= 0, 0.0, zn)
        return State(n + u * (s.h - n)), LightGRUCache(u, n, s.h)

    def step_back(
        self, p: NoParams, ds: State, cache: LightGRUCache
    ) -> tuple[Array, Array, State, NoParams]:
        k = cache
        du = ds.h * (k.h_prev - k.n) * k.u * (1.0 - k.u)
        dn = np.where(k.n <= 0, 0.0, ds.h * (1.0 - k.u))
        dz = np.concatenate((du, dn), axis=-1)
        return dz, dz, State(ds.h * k.u), p
