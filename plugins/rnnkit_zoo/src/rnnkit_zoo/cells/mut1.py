"""z, r = sigmoid(x_z), sigmoid(x_r + h Wh);  n = tanh(tanh(x_n) + (r h) Wn + bn);  h' = z n + (1 - z) h

with x_* = x Wx + b; Wx (D, 3H), b (3H,), gates in the order z, r, n; Wh (H, H), for r; Wn (H, H), bn (H,).

Jozefowicz, Zaremba & Sutskever, "An empirical exploration of recurrent network architectures" (2015), where it is the
first of the three best that their search has found. Theirs has x in the place of x_n, and so inputs of width H.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, Initializer, Params, Rng, State, weights
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class MUT1Params(Params):
    Wn: Array  # (H, H)
    bn: Array  # (H,)


@attrs.frozen
class MUT1Cache:
    z: Array
    r: Array
    n: Array
    tanh_x: Array
    h_prev: Array


@attrs.frozen
class MUT1(GatedCell[MUT1Params, State, MUT1Cache]):
    """The first mutation of the gated recurrent unit.

    A search over ten thousand architectures found it: the update gate sees the input alone, and the input
    passes through tanh twice. Try it beside a GRU, which it beat on some tasks of that search.

    Attributes:
        candidate_weights: initial Wn; normal with std 1/sqrt(H) if left open.
    """

    candidate_weights: Initializer | None = None
    x_gates: ClassVar[tuple[str, ...]] = ("z", "r", "n")
    h_gates: ClassVar[tuple[str, ...]] = ("r",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> MUT1Params:
        Wn = weights(self.candidate_weights, hidden, hidden, rng, dtype)
        return MUT1Params(Wn=Wn, bn=np.zeros(hidden, dtype))

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: MUT1Params, zx: Array, zh: Array, s: State) -> tuple[State, MUT1Cache]:
        xz, xr, xn = blocks(zx, 3)
        z, r, tanh_x = sigmoid(xz), sigmoid(xr + zh), np.tanh(xn)
        n = np.tanh(tanh_x + (r * s.h) @ p.Wn + p.bn)
        return State(s.h + z * (n - s.h)), MUT1Cache(z, r, n, tanh_x, s.h)

    def step_back(
        self, p: MUT1Params, ds: State, cache: MUT1Cache
    ) -> tuple[Array, Array, State, MUT1Params]:
        k = cache
        dz = ds.h * (k.n - k.h_prev) * k.z * (1.0 - k.z)
        dn = ds.h * k.z * (1.0 - k.n**2)
        dreset = dn @ p.Wn.T
        dr = dreset * k.h_prev * k.r * (1.0 - k.r)
        dzx = np.concatenate((dz, dr, dn * (1.0 - k.tanh_x**2)), axis=-1)
        dp = MUT1Params(Wn=(k.r * k.h_prev).T @ dn, bn=dn.sum(axis=0))
        return dzx, dr, State(ds.h * (1.0 - k.z) + dreset * k.r), dp
