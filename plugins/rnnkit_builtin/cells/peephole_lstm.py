"""i, f = sigmoid(z_i + p_i c), sigmoid(z_f + p_f c);  g = tanh(z_g);  c' = f c + i g;  o = sigmoid(z_o + p_o c');

h' = o tanh(c'), with z = x Wx + h Wh + b; Wx (D, 4H), Wh (H, 4H), b (4H,), gates in the order i, f, o, g;
peepholes p_i, p_f, p_o (H,).

Gers & Schmidhuber, "Recurrent nets that time and count" (2000), section 2.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, Params, Rng
from rnnkit.numerics import blocks, sigmoid
from rnnkit_builtin.cells.lstm import LSTMCache, LSTMState


@attrs.frozen
class Peepholes(Params):
    i: Array  # (H,)
    f: Array  # (H,)
    o: Array  # (H,)


@attrs.frozen
class PeepholeCache(LSTMCache):
    c: Array


@attrs.frozen
class PeepholeLSTM(GatedCell[Peepholes, LSTMState, PeepholeCache]):
    """LSTM whose gates also see their own memory cell; it begins as a plain one, with peepholes of 0.

    Each unit's gates see the c of that unit, at a cost of three vectors. Try it where timing or counting
    matters; in most networks it does as well as an LSTM, no better.

    Attributes:
        forget_bias: initial bias of the forget gate.
    """

    forget_bias: float = 0.0
    x_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")
    h_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")

    def bias(self, gate: str) -> float:
        return self.forget_bias if gate == "f" else 0.0

    def init(self, hidden: int, rng: Rng, dtype: DType) -> Peepholes:
        return Peepholes(*(np.zeros(hidden, dtype) for _ in "ifo"))

    def start(self, h0: Array) -> LSTMState:
        return LSTMState(h0, np.zeros_like(h0))

    def step(
        self, p: Peepholes, zx: Array, zh: Array, s: LSTMState
    ) -> tuple[LSTMState, PeepholeCache]:
        zi, zf, zo, zg = blocks(np.add(zx, zh, out=zh), 4)
        i, f, g = sigmoid(zi + p.i * s.c), sigmoid(zf + p.f * s.c), np.tanh(zg)
        c = f * s.c + i * g
        o, tanh_c = sigmoid(zo + p.o * c), np.tanh(c)
        return LSTMState(o * tanh_c, c), PeepholeCache(i, f, o, g, tanh_c, s.c, c)

    def step_back(
        self, p: Peepholes, ds: LSTMState, cache: PeepholeCache
    ) -> tuple[Array, Array, LSTMState, Peepholes]:
        k = cache
        do = ds.h * k.tanh_c * k.o * (1.0 - k.o)
        dc = ds.c + ds.h * k.o * (1.0 - k.tanh_c**2) + p.o * do
        di = dc * k.g * k.i * (1.0 - k.i)
        df = dc * k.c_prev * k.f * (1.0 - k.f)
        dg = dc * k.i * (1.0 - k.g**2)
        dz = np.concatenate((di, df, do, dg), axis=-1)
        dp = Peepholes(
            i=(di * k.c_prev).sum(axis=0), f=(df * k.c_prev).sum(axis=0), o=(do * k.c).sum(axis=0)
        )
        return dz, dz, LSTMState(np.zeros_like(ds.h), dc * k.f + p.i * di + p.f * df), dp
