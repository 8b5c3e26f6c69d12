"""m = x_m (h Wh);  i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o);  g = tanh(z_g);  c' = f c + i g;  h' = o tanh(c')

with x_* = x Wx + b and z_* = x_* + m Wm; Wx (D, 5H), b (5H,), gates in the order i, f, o, g, m; Wh (H, H), for m;
Wm (H, 4H), gates i, f, o, g.

Krause, Lu, Murray & Renals, "Multiplicative LSTM for sequence modelling" (2016), section 3, with a bias also in x_m.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, Initializer, Params, Rng, State, weights
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class MultiplicativeParams(Params):
    Wm: Array  # (H, 4H)


@attrs.frozen
class MultiplicativeState(State):
    c: Array  # (N, H)


@attrs.frozen
class MultiplicativeCache:
    i: Array
    f: Array
    o: Array
    g: Array
    tanh_c: Array
    c_prev: Array
    xm: Array
    hm: Array


@attrs.frozen
class MultiplicativeLSTM(GatedCell[MultiplicativeParams, MultiplicativeState, MultiplicativeCache]):
    """LSTM whose recurrent weights depend on the input: what its gates see of h is scaled by x, unit by unit.

    Each input thereby has a recurrent matrix of its own, so that it can change the state in its own way.
    Try it for characters, or where an input should overrule what is remembered; it takes more parameters
    and smaller learning rates.

    Attributes:
        forget_bias: initial bias of the forget gate.
        gate_weights: initial blocks (H, H) of Wm, gate by gate; normal with std 1/sqrt(H) if left open.
    """

    forget_bias: float = 0.0
    gate_weights: Initializer | None = None
    x_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g", "m")
    h_gates: ClassVar[tuple[str, ...]] = ("m",)

    def bias(self, gate: str) -> float:
        return self.forget_bias if gate == "f" else 0.0

    def init(self, hidden: int, rng: Rng, dtype: DType) -> MultiplicativeParams:
        gates = [weights(self.gate_weights, hidden, hidden, rng, dtype) for _ in "ifog"]
        return MultiplicativeParams(np.hstack(gates))

    def start(self, h0: Array) -> MultiplicativeState:
        return MultiplicativeState(h0, np.zeros_like(h0))

    def step(
        self, p: MultiplicativeParams, zx: Array, zh: Array, s: MultiplicativeState
    ) -> tuple[MultiplicativeState, MultiplicativeCache]:
        *_, xm = blocks(zx, 5)
        zi, zf, zo, zg = blocks(zx[:, : 4 * xm.shape[1]] + (xm * zh) @ p.Wm, 4)
        i, f, o, g = sigmoid(zi), sigmoid(zf), sigmoid(zo), np.tanh(zg)
        c = f * s.c + i * g
        tanh_c = np.tanh(c)
        cache = MultiplicativeCache(i, f, o, g, tanh_c, s.c, xm, zh)
        return MultiplicativeState(o * tanh_c, c), cache

    def step_back(
        self, p: MultiplicativeParams, ds: MultiplicativeState, cache: MultiplicativeCache
    ) -> tuple[Array, Array, MultiplicativeState, MultiplicativeParams]:
        k = cache
        dc = ds.c + ds.h * k.o * (1.0 - k.tanh_c**2)
        di = dc * k.g * k.i * (1.0 - k.i)
        df = dc * k.c_prev * k.f * (1.0 - k.f)
        do = ds.h * k.tanh_c * k.o * (1.0 - k.o)
        dg = dc * k.i * (1.0 - k.g**2)
        dz = np.concatenate((di, df, do, dg), axis=-1)
        dm = dz @ p.Wm.T
        dp = MultiplicativeParams((k.xm * k.hm).T @ dz)
        before = MultiplicativeState(np.zeros_like(ds.h), dc * k.f)
        return np.concatenate((dz, dm * k.hm), axis=-1), dm * k.xm, before, dp
