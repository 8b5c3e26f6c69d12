"""i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o);  g = tanh(z_g);  c' = f c + i g;  h' = o tanh(c')

with z = x Wx + h Wh + b; Wx (D, 4H), Wh (H, 4H), b (4H,), gates in the order i, f, o, g.

Hochreiter & Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers, Schmidhuber &
Cummins, "Learning to forget" (2000), section 3.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class LSTMState(State):
    c: Array  # (N, H)


@attrs.frozen
class LSTMCache:
    i: Array
    f: Array
    o: Array
    g: Array
    tanh_c: Array
    c_prev: Array


@attrs.frozen
class LSTM(GatedCell[NoParams, LSTMState, LSTMCache]):
    """Long short-term memory.

    A memory cell c that gates write, keep and read carries gradients over many steps. Try it where you have
    no reason for another cell; it is what most papers on captions compare with.

    Attributes:
        forget_bias: initial bias of the forget gate; 1 lets early gradients pass
            (Jozefowicz, Zaremba & Sutskever 2015, section 2.2).
    """

    forget_bias: float = 0.0
    x_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")
    h_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")

    def bias(self, gate: str) -> float:
        return self.forget_bias if gate == "f" else 0.0

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> LSTMState:
        return LSTMState(h0, np.zeros_like(h0))

    def step(self, p: NoParams, zx: Array, zh: Array, s: LSTMState) -> tuple[LSTMState, LSTMCache]:
        zi, zf, zo, zg = blocks(np.add(zx, zh, out=zh), 4)
        i, f, o, g = sigmoid(zi), sigmoid(zf), sigmoid(zo), np.tanh(zg)
        c = f * s.c + i * g
        tanh_c = np.tanh(c)
        return LSTMState(o * tanh_c, c), LSTMCache(i, f, o, g, tanh_c, s.c)

    def step_back(
        self, p: NoParams, ds: LSTMState, cache: LSTMCache
    ) -> tuple[Array, Array, LSTMState, NoParams]:
        k = cache
        dc = ds.c + ds.h * k.o * (1.0 - k.tanh_c**2)
        dz = np.concatenate(
            (
                dc * k.g * k.i * (1.0 - k.i),
                dc * k.c_prev * k.f * (1.0 - k.f),
                ds.h * k.tanh_c * k.o * (1.0 - k.o),
                dc * k.i * (1.0 - k.g**2),
            ),
            axis=-1,
        )
        return dz, dz, LSTMState(np.zeros_like(ds.h), dc * k.f), p
