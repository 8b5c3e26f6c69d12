"""u = sigmoid(z_u);  n = tanh(z_n);  h' = u h + (1 - u) n

with z = x Wx + h Wh + b; Wx (D, 2H), Wh (H, 2H), b (2H,), gates in the order u, n.

Collins, Sohl-Dickstein & Sussillo, "Capacity and trainability in recurrent neural networks" (2017), their g called u
and their c called n.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class UGRNNCache:
    u: Array
    n: Array
    h_prev: Array


@attrs.frozen
class UGRNN(GatedCell[NoParams, State, UGRNNCache]):
    """Update gate RNN: a plain network that a gate can hold still.

    One gate chooses between the old state and a new one, with half the parameters of an LSTM. Try it as the
    simplest cell with a gate: it trains about as easily as a GRU.

    Attributes:
        forget_bias: initial bias of the update gate.
    """

    forget_bias: float = 1.0
    x_gates: ClassVar[tuple[str, ...]] = ("u", "n")
    h_gates: ClassVar[tuple[str, ...]] = ("u", "n")

    def bias(self, gate: str) -> float:
        return self.forget_bias if gate == "u" else 0.0

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, UGRNNCache]:
        zu, zn = blocks(np.add(zx, zh, out=zh), 2)
        u, n = sigmoid(zu), np.tanh(zn)
        return State(n + u * (s.h - n)), UGRNNCache(u, n, s.h)

    def step_back(
        self, p: NoParams, ds: State, cache: UGRNNCache
    ) -> tuple[Array, Array, State, NoParams]:
        k = cache
        du = ds.h * (k.h_prev - k.n) * k.u * (1.0 - k.u)
        dn = ds.h * (1.0 - k.u) * (1.0 - k.n**2)
        dz = np.concatenate((du, dn), axis=-1)
        return dz, dz, State(ds.h * k.u), p
