"""s_0 = h;  g_l, t_l = tanh(z_lg), sigmoid(z_lt);  s_l = t_l g_l + (1 - t_l) s_{l-1}, l = 1..L;  h' = s_L

with z_l = s_{l-1} R_l + b_l, and x Wx added to z_1; Wx (D, 2H), R (L, H, 2H), b (L, 2H), gates in the order g, t.

Zilly, Srivastava, Koutnik & Schmidhuber, "Recurrent highway networks" (2017), section 4, with their h_l called g_l, and
the carry gate coupled to the transform gate, c = 1 - t, as in their experiments.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import ge

from rnnkit.kinds import Array, Cell, DType, Initializer, Params, Rng, State, weights
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class RHNParams(Params):
    Wx: Array  # (D, 2H)
    R: Array  # (L, H, 2H)
    b: Array  # (L, 2H)


@attrs.frozen
class RHNCache:
    x: Array
    layers: tuple[tuple[Array, Array, Array], ...]  # of each layer: s before it, g, t


@attrs.frozen
class RHN(Cell[RHNParams, State, RHNCache]):
    """Recurrent highway network: several highway layers within one time step.

    Each step is as deep as the number of highway layers, which lets the state change in involved ways
    without more units. Try it for text with much structure, where a stack of LSTMs stops to improve; depth
    costs time in every step.

    Attributes:
        depth: L.
        transform_bias: initial bias of the transform gates; if negative, layers begin close to copying.
        input_weights: initial blocks (D, H) of Wx, gate by gate; normal with std 1/sqrt(D) if left open.
        recurrent_weights: the same for the blocks (H, H) of R, layer by layer.
    """

    depth: int = attrs.field(default=2, validator=ge(1))
    transform_bias: float = 0.0
    input_weights: Initializer | None = None
    recurrent_weights: Initializer | None = None

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> RHNParams:
        def gates(init: Initializer | None, rows: int) -> Array:
            return np.hstack([weights(init, rows, hidden, rng, dtype) for _ in "gt"])

        bias = np.repeat(np.array([0.0, self.transform_bias], dtype), hidden)
        return RHNParams(
            Wx=gates(self.input_weights, in_features),
            R=np.stack([gates(self.recurrent_weights, hidden) for _ in range(self.depth)]),
            b=np.tile(bias, (self.depth, 1)),
        )

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: RHNParams, x: Array, s: State) -> tuple[State, RHNCache]:
        h = s.h
        layers: list[tuple[Array, Array, Array]] = []
        for R, b in zip(p.R, p.b, strict=True):
            z = h @ R + b
            if not layers:
                z += x @ p.Wx
            zg, zt = blocks(z, 2)
            g, t = np.tanh(zg), sigmoid(zt)
            layers.append((h, g, t))
            h = h + t * (g - h)
        return State(h), RHNCache(x, tuple(layers))

    def step_back(self, p: RHNParams, ds: State, cache: RHNCache) -> tuple[Array, State, RHNParams]:
        dh = ds.h
        dzs: list[Array] = []
        for (h, g, t), R in zip(reversed(cache.layers), p.R[::-1], strict=True):
            dg, dt = dh * t * (1.0 - g**2), dh * (g - h) * t * (1.0 - t)
            dz = np.concatenate((dg, dt), axis=-1)
            dh = dh * (1.0 - t) + dz @ R.T
            dzs.insert(0, dz)
        dp = RHNParams(
            Wx=cache.x.T @ dzs[0],
            R=np.stack([h.T @ dz for (h, _, _), dz in zip(cache.layers, dzs, strict=True)]),
            b=np.stack([dz.sum(axis=0) for dz in dzs]),
        )
        return dzs[0] @ p.Wx.T, State(dh), dp
