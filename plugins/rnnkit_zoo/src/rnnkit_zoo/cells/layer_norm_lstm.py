"""(z_i, z_f, z_o, z_g) = LN(zx) gain_x + LN(zh) gain_h + bias;  c' = sigmoid(z_f) c + sigmoid(z_i) tanh(z_g);

h' = sigmoid(z_o) tanh(LN(c') gain_c + bias_c), with zx = x Wx + b, zh = h Wh and LN(z) = (z - mean) / sqrt(var + eps)
over all of a row, so over all gates together; Wx (D, 4H), Wh (H, 4H), b (4H,), gates in the order i, f, o, g;
gain_x, gain_h, bias (4H,); gain_c, bias_c (H,).

Ba, Kiros & Hinton, "Layer normalization" (2016), equations 20 to 22 of the supplementary material. Its three biases of
the gates are one sum, which is `bias`; b stands inside the norm, and with b = 0 the cell is the paper's.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
from attrs.validators import gt

from rnnkit.kinds import Array, DType, GatedCell, Params, Rng, State
from rnnkit.numerics import Normalized, blocks, normalize, normalize_back, sigmoid


@attrs.frozen
class LayerNormLSTMParams(Params):
    gain_x: Array  # (4H,)
    gain_h: Array  # (4H,)
    bias: Array  # (4H,)
    gain_c: Array  # (H,)
    bias_c: Array  # (H,)


@attrs.frozen
class LayerNormLSTMState(State):
    c: Array  # (N, H)


@attrs.frozen
class LayerNormLSTMCache:
    x: Normalized
    h: Normalized
    c: Normalized
    i: Array
    f: Array
    o: Array
    g: Array
    tanh_c: Array
    c_prev: Array


@attrs.frozen
class LayerNormLSTM(GatedCell[LayerNormLSTMParams, LayerNormLSTMState, LayerNormLSTMCache]):
    """LSTM with layer normalization of what its gates and its output read.

    The norms keep the gates in their range, whatever the scale of inputs and weights. Try it with large
    learning rates or deep stacks; each step costs more time.

    Attributes:
        forget_bias: initial bias of the forget gate, after the norm.
        eps: added to each variance, above 0.
    """

    forget_bias: float = 0.0
    eps: float = attrs.field(default=1e-5, validator=gt(0.0))
    x_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")
    h_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")

    def init(self, hidden: int, rng: Rng, dtype: DType) -> LayerNormLSTMParams:
        return LayerNormLSTMParams(
            gain_x=np.ones(4 * hidden, dtype),
            gain_h=np.ones(4 * hidden, dtype),
            bias=np.repeat(np.array([0.0, self.forget_bias, 0.0, 0.0], dtype), hidden),
            gain_c=np.ones(hidden, dtype),
            bias_c=np.zeros(hidden, dtype),
        )

    def start(self, h0: Array) -> LayerNormLSTMState:
        return LayerNormLSTMState(h0, np.zeros_like(h0))

    def step(
        self, p: LayerNormLSTMParams, zx: Array, zh: Array, s: LayerNormLSTMState
    ) -> tuple[LayerNormLSTMState, LayerNormLSTMCache]:
        x, h = normalize(zx, self.eps), normalize(zh, self.eps)
        zi, zf, zo, zg = blocks(x.z * p.gain_x + h.z * p.gain_h + p.bias, 4)
        i, f, o, g = sigmoid(zi), sigmoid(zf), sigmoid(zo), np.tanh(zg)
        c = f * s.c + i * g
        from_c = normalize(c, self.eps)
        tanh_c = np.tanh(from_c.z * p.gain_c + p.bias_c)
        cache = LayerNormLSTMCache(x, h, from_c, i, f, o, g, tanh_c, s.c)
        return LayerNormLSTMState(o * tanh_c, c), cache

    def step_back(
        self, p: LayerNormLSTMParams, ds: LayerNormLSTMState, cache: LayerNormLSTMCache
    ) -> tuple[Array, Array, LayerNormLSTMState, LayerNormLSTMParams]:
        k = cache
        dy = ds.h * k.o * (1.0 - k.tanh_c**2)
        dc = ds.c + normalize_back(dy * p.gain_c, k.c)
        di = dc * k.g * k.i * (1.0 - k.i)
        df = dc * k.c_prev * k.f * (1.0 - k.f)
        do = ds.h * k.tanh_c * k.o * (1.0 - k.o)
        dg = dc * k.i * (1.0 - k.g**2)
        dz = np.concatenate((di, df, do, dg), axis=-1)
        dp = LayerNormLSTMParams(
            gain_x=(dz * k.x.z).sum(axis=0),
            gain_h=(dz * k.h.z).sum(axis=0),
            bias=dz.sum(axis=0),
            gain_c=(dy * k.c.z).sum(axis=0),
            bias_c=dy.sum(axis=0),
        )
        dzx, dzh = normalize_back(dz * p.gain_x, k.x), normalize_back(dz * p.gain_h, k.h)
        return dzx, dzh, LayerNormLSTMState(np.zeros_like(ds.h), dc * k.f), dp
