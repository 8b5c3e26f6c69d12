"""r, u = sigmoid(x_r + h Wh_r), sigmoid(x_u + h Wh_u);  n = tanh(x_n + (r h) Wn);  h' = (1 - u) n + u h

with x_* = x Wx + b; Wx (D, 3H), b (3H,), gates in the order r, u, n; Wh (H, 2H), gates r, u; Wn (H, H).

Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014), section 2.3, with their z
called u. The product with Wn has to wait for r, so the cell is free form; `gru` is the faster variant.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, Cell, DType, Initializer, Params, Rng, State, weights
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class GRUResetBeforeParams(Params):
    Wx: Array  # (D, 3H)
    Wh: Array  # (H, 2H)
    Wn: Array  # (H, H)
    b: Array  # (3H,)


@attrs.frozen
class GRUResetBeforeCache:
    r: Array
    u: Array
    n: Array
    x: Array
    h_prev: Array


@attrs.frozen
class GRUResetBefore(Cell[GRUResetBeforeParams, State, GRUResetBeforeCache]):
    """Gated recurrent unit, reset before the product.

    The GRU of the first paper: the reset gate chooses what of h the new value may see. Try it to reproduce
    results that were found with that form; else `gru` is faster.

    Attributes:
        input_weights: initial blocks (D, H) of Wx, gate by gate; normal with std 1/sqrt(D) if left open.
        recurrent_weights: initial blocks (H, H) of Wh, gate by gate, and Wn; normal with std 1/sqrt(H) if left
            open.
    """

    input_weights: Initializer | None = None
    recurrent_weights: Initializer | None = None

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> GRUResetBeforeParams:
        D, H = in_features, hidden
        return GRUResetBeforeParams(
            Wx=np.hstack([weights(self.input_weights, D, H, rng, dtype) for _ in "run"]),
            Wh=np.hstack([weights(self.recurrent_weights, H, H, rng, dtype) for _ in "ru"]),
            Wn=weights(self.recurrent_weights, H, H, rng, dtype),
            b=np.zeros(3 * H, dtype),
        )

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(
        self, p: GRUResetBeforeParams, x: Array, s: State
    ) -> tuple[State, GRUResetBeforeCache]:
        xr, xu, xn = blocks(x @ p.Wx + p.b, 3)
        hr, hu = blocks(s.h @ p.Wh, 2)
        r, u = sigmoid(xr + hr), sigmoid(xu + hu)
        n = np.tanh(xn + (r * s.h) @ p.Wn)
        return State(n + u * (s.h - n)), GRUResetBeforeCache(r, u, n, x, s.h)

    def step_back(
        self, p: GRUResetBeforeParams, ds: State, cache: GRUResetBeforeCache
    ) -> tuple[Array, State, GRUResetBeforeParams]:
        k = cache
        dn = ds.h * (1.0 - k.u) * (1.0 - k.n**2)
        du = ds.h * (k.h_prev - k.n) * k.u * (1.0 - k.u)
        dreset = dn @ p.Wn.T
        dr = dreset * k.h_prev * k.r * (1.0 - k.r)
        dzh = np.concatenate((dr, du), axis=-1)
        dzx = np.concatenate((dzh, dn), axis=-1)
        dp = GRUResetBeforeParams(
            Wx=k.x.T @ dzx, Wh=k.h_prev.T @ dzh, Wn=(k.r * k.h_prev).T @ dn, b=dzx.sum(axis=0)
        )
        return dzx @ p.Wx.T, State(ds.h * k.u + dreset * k.r + dzh @ p.Wh.T), dp
