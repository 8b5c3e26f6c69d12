"""f = sigmoid(z_f);  i = 1 - sigmoid(z_f - beta);  g = tanh(z_g);  h' = f h + i g

with z = x Wx + h Wh + b; Wx (D, 2H), Wh (H, 2H), b (2H,), gates in the order f, g.

van der Westhuizen & Lasenby, "The unreasonable effectiveness of the forget gate" (2018), section 3, where c = h.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
from attrs.validators import ge

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class JANETCache:
    f: Array
    i: Array
    g: Array
    h_prev: Array


@attrs.frozen
class JANET(GatedCell[NoParams, State, JANETCache]):
    """Just another network: an LSTM of which only the forget gate is left.

    It keeps what the forget gate holds, writes the rest, and squashes nothing on the way out. Try it where
    an LSTM learns slowly: it has half the gates, and is among the quickest learners in docs/zoo.md.

    Attributes:
        beta: with it the cell writes a little more than it forgets; 0 couples both, as in `ugrnn`.
        forget_bias: initial bias of the forget gate. The paper draws it unit by unit as log(U(1, T - 1)), T
            the longest time to remember; log(T / 2) is the median of that.
    """

    beta: float = attrs.field(default=1.0, validator=ge(0.0))
    forget_bias: float = 1.0
    x_gates: ClassVar[tuple[str, ...]] = ("f", "g")
    h_gates: ClassVar[tuple[str, ...]] = ("f", "g")

    def bias(self, gate: str) -> float:
        return self.forget_bias if gate == "f" else 0.0

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, JANETCache]:
        zf, zg = blocks(np.add(zx, zh, out=zh), 2)
        # 1 - sigmoid(z) is sigmoid(-z), without the loss of digits where it is near 0.
        f, i, g = sigmoid(zf), sigmoid(self.beta - zf), np.tanh(zg)
        return State(f * s.h + i * g), JANETCache(f, i, g, s.h)

    def step_back(
        self, p: NoParams, ds: State, cache: JANETCache
    ) -> tuple[Array, Array, State, NoParams]:
        k = cache
        df = ds.h * (k.h_prev * k.f * (1.0 - k.f) - k.g * k.i * (1.0 - k.i))
        dg = ds.h * k.i * (1.0 - k.g**2)
        dz = np.concatenate((df, dg), axis=-1)
        return dz, dz, State(ds.h * k.f), p
