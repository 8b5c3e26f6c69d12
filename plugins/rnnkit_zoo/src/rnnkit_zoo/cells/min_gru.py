"""u = sigmoid(x_u);  n = x_n;  h' = (1 - u) h + u n

with x_* = x Wx + b; Wx (D, 2H), b (2H,), gates in the order u, n; nothing comes from h but h itself: Wh (H, 0).

Feng, Tung, Ahmed, Bengio & Hajimirsadeghi, "Were RNNs all we needed?" (2024), section 3.1, with their z called u and
their h~ called n. Their form in log space, for scans in parallel, has n = g(x_n) > 0 (appendix B): `positive` is that.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State
from rnnkit.numerics import blocks, sigmoid
from rnnkit_zoo.numerics import positive


@attrs.frozen
class MinGRUCache:
    u: Array
    change: Array  # n - h
    slope: Array  # of n over x_n


@attrs.frozen
class MinGRU(GatedCell[NoParams, State, MinGRUCache]):
    """Minimal gated recurrent unit.

    Gates and new values see the input alone, so all products are made before the first step. Try it for
    long sequences and wide layers, and stack several: one layer alone cannot let what it remembers decide
    what it reads.

    Attributes:
        positive: whether n = g(x_n), with g(x) = x + 0.5 where x >= 0, else sigmoid(x).
    """

    positive: bool = False
    x_gates: ClassVar[tuple[str, ...]] = ("u", "n")
    h_gates: ClassVar[tuple[str, ...]] = ()

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, MinGRUCache]:
        zu, zn = blocks(zx, 2)
        u = sigmoid(zu)
        n, slope = positive(zn) if self.positive else (zn, np.ones_like(zn))
        change = n - s.h
        return State(s.h + u * change), MinGRUCache(u, change, slope)

    def step_back(
        self, p: NoParams, ds: State, cache: MinGRUCache
    ) -> tuple[Array, Array, State, NoParams]:
        k = cache
        du = ds.h * k.change * k.u * (1.0 - k.u)
        dn = ds.h * k.u * k.slope
        dzh = np.empty((len(ds.h), 0), ds.h.dtype)
        return np.concatenate((du, dn), axis=-1), dzh, State(ds.h * (1.0 - k.u)), p
