"""f, o = sigmoid(z_f), sigmoid(z_o);  g = tanh(z_g);  c' = f c + (1 - f) g;  h' = o tanh(c')

with z = x Wx + h Wh + b; Wx (D, 3H), Wh (H, 3H), b (3H,), gates in the order f, o, g.

Greff, Srivastava, Koutnik, Steunebrink & Schmidhuber, "LSTM: a search space odyssey" (2017), where
it is the variant CIFG: coupled input and forget gate. Their LSTM has peepholes; this one has none.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class CIFGState(State):
    c: Array  # (N, H)


@attrs.frozen
class CIFGCache:
    f: Array
    o: Array
    g: Array
    tanh_c: Array
    c_prev: Array


@attrs.frozen
class CIFGLSTM(GatedCell[NoParams, CIFGState, CIFGCache]):
    """LSTM that writes just as much as it forgets: its input gate is 1 - f.

    One gate decides what is forgotten and written, which saves a quarter of an LSTM's products. Try it
    where you would take an LSTM and want it smaller.

    Attributes:
        forget_bias: initial bias of the forget gate.
    """

    forget_bias: float = 0.0
    x_gates: ClassVar[tuple[str, ...]] = ("f", "o", "g")
    h_gates: ClassVar[tuple[str, ...]] = ("f", "o", "g")

    def bias(self, gate: str) -> float:
        return self.forget_bias if gate == "f" else 0.0

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> CIFGState:
        return CIFGState(h0, np.zeros_like(h0))

    def step(self, p: NoParams, zx: Array, zh: Array, s: CIFGState) -> tuple[CIFGState, CIFGCache]:
        zf, zo, zg = blocks(np.add(zx, zh, out=zh), 3)
        f, o, g = sigmoid(zf), sigmoid(zo), np.tanh(zg)
        c = g + f * (s.c - g)
        tanh_c = np.tanh(c)
        return CIFGState(o * tanh_c, c), CIFGCache(f, o, g, tanh_c, s.c)

    def step_back(
        self, p: NoParams, ds: CIFGState, cache: CIFGCache
    ) -> tuple[Array, Array, CIFGState, NoParams]:
        k = cache
        dc = ds.c + ds.h * k.o * (1.0 - k.tanh_c**2)
        df = dc * (k.c_prev - k.g) * k.f * (1.0 - k.f)
        do = ds.h * k.tanh_c * k.o * (1.0 - k.o)
        dg = dc * (1.0 - k.f) * (1.0 - k.g**2)
        dz = np.concatenate((df, do, dg), axis=-1)
        return dz, dz, CIFGState(np.zeros_like(ds.h), dc * k.f), p
