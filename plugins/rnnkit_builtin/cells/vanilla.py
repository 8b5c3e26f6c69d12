"""h' = f(x Wx + h Wh + b); Wx (D, H), Wh (H, H), b (H,).

Elman, "Finding structure in time" (1990).
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Activation, Array, DType, GatedCell, NoParams, Rng, State
from rnnkit_builtin.activations.tanh import Tanh


@attrs.frozen
class Vanilla(GatedCell[NoParams, State, Array]):
    """The plain recurrent network.

    The whole state goes through one product and one squashing at each step. Try it first, as the measure
    for all others: it is fast, and short captions need little memory.

    Attributes:
        activation: f.
    """

    activation: Activation = Tanh()
    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, Array]:
        # A new array: f may be the identity, and zx and zh are only lent.
        h, saved = self.activation.forward(zx + zh)
        return State(h), saved

    def step_back(
        self, p: NoParams, ds: State, cache: Array
    ) -> tuple[Array, Array, State, NoParams]:
        dz = self.activation.backward(ds.h, cache)
        return dz, dz, State(np.zeros_like(ds.h)), p
