"""i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o);  g = tanh(z_g);  c' = f c + i g;  h' = o tanh(c')

Wrong: the slope of the outer tanh, 1 - tanh(c')^2, is left out.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State
from rnnkit.numerics import sigmoid


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
class MissingFactor(GatedCell[NoParams, LSTMState, LSTMCache]):
    """LSTM that takes tanh(c') for c' on the way back."""

    x_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")
    h_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> LSTMState:
        return LSTMState(h, np.zeros_like(h))

    def step(self, p: NoParams, zx: Array, zh: Array, s: LSTMState) -> tuple[LSTMState, LSTMCache]:
        zi, zf, zo, zg = np.split(zx + zh, 4, axis=-1)
        i, f, o, g = sigmoid(zi), sigmoid(zf), sigmoid(zo), np.tanh(zg)
        c = f * s.c + i * g
        tanh_c = np.tanh(c)
        return LSTMState(o * tanh_c, c), LSTMCache(i, f, o, g, tanh_c, s.c)

    def step_back(
        self, p: NoParams, ds: LSTMState, cache: LSTMCache
    ) -> tuple[Array, Array, LSTMState, NoParams]:
        k = cache
        dc = ds.c + ds.h * k.o
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
