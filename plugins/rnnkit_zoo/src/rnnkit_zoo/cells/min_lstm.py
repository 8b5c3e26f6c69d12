"""f, i = sigmoid(x_f), sigmoid(x_i);  n = x_n;  h' = (f h + i n) / (f + i)

with x_* = x Wx + b; Wx (D, 3H), b (3H,), gates in the order i, f, n; nothing comes from h but h itself: Wh (H, 0).

Feng, Tung, Ahmed, Bengio & Hajimirsadeghi, "Were RNNs all we needed?" (2024), section 3.2, with their h~ called n.
Their form in log space, for scans in parallel, has n = g(x_n) > 0 (appendix B): `positive` is that.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State
from rnnkit.numerics import blocks, sigmoid
from rnnkit_zoo.numerics import log_sigmoid, positive


@attrs.frozen
class MinLSTMCache:
    keep: Array  # f / (f + i)
    not_i: Array  # 1 - i and 1 - f, the slopes of log i and log f
    not_f: Array
    change: Array  # h - n
    slope: Array  # of n over x_n


@attrs.frozen
class MinLSTM(GatedCell[NoParams, State, MinLSTMCache]):
    """Minimal long short-term memory.

    Gates see the input alone, and forget and input gate are normalized to sum to one. Try it where you
    would take `min-gru`, if two gates help your data; stack several layers.

    Attributes:
        positive: whether n = g(x_n), with g(x) = x + 0.5 where x >= 0, else sigmoid(x).
        forget_bias: initial bias of the forget gate.
    """

    positive: bool = False
    forget_bias: float = 0.0
    x_gates: ClassVar[tuple[str, ...]] = ("i", "f", "n")
    h_gates: ClassVar[tuple[str, ...]] = ()

    def bias(self, gate: str) -> float:
        return self.forget_bias if gate == "f" else 0.0

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, MinLSTMCache]:
        zi, zf, zn = blocks(zx, 3)
        # f / (f + i) as a sigmoid of log(f / i), which stands also where both gates are 0 in floating point.
        keep = sigmoid(log_sigmoid(zf) - log_sigmoid(zi))
        n, slope = positive(zn) if self.positive else (zn, np.ones_like(zn))
        change = s.h - n
        cache = MinLSTMCache(keep, sigmoid(-zi), sigmoid(-zf), change, slope)
        return State(n + keep * change), cache

    def step_back(
        self, p: NoParams, ds: State, cache: MinLSTMCache
    ) -> tuple[Array, Array, State, NoParams]:
        k = cache
        dratio = ds.h * k.change * k.keep * (1.0 - k.keep)
        di, df = -dratio * k.not_i, dratio * k.not_f
        dn = ds.h * (1.0 - k.keep) * k.slope
        dzh = np.empty((len(ds.h), 0), ds.h.dtype)
        return np.concatenate((di, df, dn), axis=-1), dzh, State(ds.h * k.keep), p
