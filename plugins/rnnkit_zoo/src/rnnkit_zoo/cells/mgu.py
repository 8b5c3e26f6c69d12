"""f = sigmoid(x_f + h Wf);  n = tanh(x_n + (f h) Wn);  h' = (1 - f) h + f n

with x_* = x Wx + b; Wx (D, 2H), b (2H,), gates in the order f, n; Wf, Wn (H, H).

Zhou, Wu, Zhang & Zhou, "Minimal gated unit for recurrent neural networks" (2016), section 3. The product with Wn has
to wait for f, so the cell is free form.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, Cell, DType, Initializer, Params, Rng, State, weights
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class MGUParams(Params):
    Wx: Array  # (D, 2H)
    Wf: Array  # (H, H)
    Wn: Array  # (H, H)
    b: Array  # (2H,)


@attrs.frozen
class MGUCache:
    f: Array
    n: Array
    x: Array
    h_prev: Array


@attrs.frozen
class MGU(Cell[MGUParams, State, MGUCache]):
    """Minimal gated unit: a GRU whose one gate both resets and updates.

    It has a third fewer parameters than a GRU. Try it where parameters are dear; its two products wait for
    each other, so it is no faster than `gru`.

    Attributes:
        input_weights: initial blocks (D, H) of Wx, gate by gate; normal with std 1/sqrt(D) if left open.
        recurrent_weights: initial Wf and Wn; normal with std 1/sqrt(H) if left open.
    """

    input_weights: Initializer | None = None
    recurrent_weights: Initializer | None = None

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> MGUParams:
        D, H = in_features, hidden
        return MGUParams(
            Wx=np.hstack([weights(self.input_weights, D, H, rng, dtype) for _ in "fn"]),
            Wf=weights(self.recurrent_weights, H, H, rng, dtype),
            Wn=weights(self.recurrent_weights, H, H, rng, dtype),
            b=np.zeros(2 * H, dtype),
        )

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: MGUParams, x: Array, s: State) -> tuple[State, MGUCache]:
        xf, xn = blocks(x @ p.Wx + p.b, 2)
        f = sigmoid(xf + s.h @ p.Wf)
        n = np.tanh(xn + (f * s.h) @ p.Wn)
        return State(s.h + f * (n - s.h)), MGUCache(f, n, x, s.h)

    def step_back(self, p: MGUParams, ds: State, cache: MGUCache) -> tuple[Array, State, MGUParams]:
        k = cache
        dn = ds.h * k.f * (1.0 - k.n**2)
        dreset = dn @ p.Wn.T
        df = (ds.h * (k.n - k.h_prev) + dreset * k.h_prev) * k.f * (1.0 - k.f)
        dzx = np.concatenate((df, dn), axis=-1)
        dp = MGUParams(
            Wx=k.x.T @ dzx, Wf=k.h_prev.T @ df, Wn=(k.f * k.h_prev).T @ dn, b=dzx.sum(axis=0)
        )
        return dzx @ p.Wx.T, State(ds.h * (1.0 - k.f) + dreset * k.f + df @ p.Wf.T), dp
