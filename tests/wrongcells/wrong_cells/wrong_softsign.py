"""h' = z / (1 + |z|), z = zx + zh.

Wrong: the slope is 1 / (1 + |z|)^2, and the square is left out; and np.abs stops a complex step.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State


@attrs.frozen
class WrongSoftsign(GatedCell[NoParams, State, Array]):
    """The plain recurrent network with softsign in the place of tanh."""

    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, Array]:
        z = zx + zh
        slope = 1.0 / (1.0 + np.abs(z))
        return State(z * slope), slope

    def step_back(
        self, p: NoParams, ds: State, cache: Array
    ) -> tuple[Array, Array, State, NoParams]:
        dz = ds.h * cache
        return dz, dz, State(np.zeros_like(ds.h)), p
