"""h' = tanh(z - mean(z) / 2), z = zx + zh, the mean over the batch.

Wrong: what a row becomes depends on the other rows, although the gradient is right.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State


@attrs.frozen
class BatchMixing(GatedCell[NoParams, State, Array]):
    """The plain recurrent network, its sums centred over the batch."""

    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, Array]:
        z = zx + zh
        h = np.tanh(z - 0.5 * z.mean(axis=0))
        return State(h), h

    def step_back(
        self, p: NoParams, ds: State, cache: Array
    ) -> tuple[Array, Array, State, NoParams]:
        dy = ds.h * (1.0 - cache**2)
        dz = dy - 0.5 * dy.mean(axis=0)
        return dz, dz, State(np.zeros_like(ds.h)), p
