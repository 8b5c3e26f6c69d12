"""h' = (h + tanh(zx + zh)) / sqrt(2).

Wrong: np.sqrt(2.0) is a float64 that makes all of the network float64; math.sqrt(2.0) would not.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State


@attrs.frozen
class Float64Leak(GatedCell[NoParams, State, Array]):
    """A residual step that keeps the variance."""

    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, Array]:
        g = np.tanh(zx + zh)
        return State((s.h + g) / np.sqrt(2.0)), g

    def step_back(
        self, p: NoParams, ds: State, cache: Array
    ) -> tuple[Array, Array, State, NoParams]:
        dh = ds.h / np.sqrt(2.0)
        dz = dh * (1.0 - cache**2)
        return dz, dz, State(dh), p
