"""h' = a h + (1 - a) tanh(zx + zh), a = 0.7.

Wrong: step scales the state that it is given in place, to save an array.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State


@attrs.frozen
class ChangedState(GatedCell[NoParams, State, Array]):
    """Leaky integrator."""

    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, Array]:
        g = np.tanh(zx + zh)
        h = s.h
        h *= 0.7
        return State(h + 0.3 * g), g

    def step_back(
        self, p: NoParams, ds: State, cache: Array
    ) -> tuple[Array, Array, State, NoParams]:
        dz = 0.3 * ds.h * (1.0 - cache**2)
        return dz, dz, State(0.7 * ds.h), p
