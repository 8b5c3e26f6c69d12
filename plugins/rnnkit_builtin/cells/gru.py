"""r, u = sigmoid(x_r + h_r), sigmoid(x_u + h_u);  n = tanh(x_n + r (h_n + bn));  h' = (1 - u) n + u h

with x_* = x Wx + b and h_* = h Wh; Wx (D, 3H), Wh (H, 3H), b (3H,), bn (H,), gates in the order r, u, n.

Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014), section 2.3, but with the reset
gate after the product, as in cuDNN and PyTorch: all of h Wh is then one product. `gru-reset-before` is the
paper's own form.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, Params, Rng, State
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class GRUParams(Params):
    bn: Array  # (H,), the bias that the reset gate acts on


@attrs.frozen
class GRUCache:
    r: Array
    u: Array
    n: Array
    reset: Array  # what the reset gate acts on, h_n + bn
    h_prev: Array


@attrs.frozen
class GRU(GatedCell[GRUParams, State, GRUCache]):
    """Gated recurrent unit, reset after the product.

    Two gates and no memory cell: three products where an LSTM has four, for much the same memory. Try it
    where an LSTM is too slow or too large.
    """

    x_gates: ClassVar[tuple[str, ...]] = ("r", "u", "n")
    h_gates: ClassVar[tuple[str, ...]] = ("r", "u", "n")

    def init(self, hidden: int, rng: Rng, dtype: DType) -> GRUParams:
        return GRUParams(bn=np.zeros(hidden, dtype))

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: GRUParams, zx: Array, zh: Array, s: State) -> tuple[State, GRUCache]:
        xr, xu, xn = blocks(zx, 3)
        hr, hu, hn = blocks(zh, 3)
        r, u, reset = sigmoid(xr + hr), sigmoid(xu + hu), hn + p.bn
        n = np.tanh(xn + r * reset)
        return State(n + u * (s.h - n)), GRUCache(r, u, n, reset, s.h)

    def step_back(
        self, p: GRUParams, ds: State, cache: GRUCache
    ) -> tuple[Array, Array, State, GRUParams]:
        k = cache
        dn = ds.h * (1.0 - k.u) * (1.0 - k.n**2)
        du = ds.h * (k.h_prev - k.n) * k.u * (1.0 - k.u)
        dr = dn * k.reset * k.r * (1.0 - k.r)
        dreset = dn * k.r
        return (
            np.concatenate((dr, du, dn), axis=-1),
            np.concatenate((dr, du, dreset), axis=-1),
            State(ds.h * k.u),
            GRUParams(bn=dreset.sum(axis=0)),
        )
