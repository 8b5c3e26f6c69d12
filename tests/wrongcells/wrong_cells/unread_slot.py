"""h' = tanh(zx + zh);  m' = 0.9 m + 0.1 h'

Wrong: the running mean m is carried along, with a right gradient, but no output ever depends on it.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State


@attrs.frozen
class MeanState(State):
    m: Array  # (N, H)


@attrs.frozen
class UnreadSlot(GatedCell[NoParams, MeanState, Array]):
    """The plain recurrent network, with a memory of its mean."""

    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> MeanState:
        return MeanState(h, np.zeros_like(h))

    def step(self, p: NoParams, zx: Array, zh: Array, s: MeanState) -> tuple[MeanState, Array]:
        h = np.tanh(zx + zh)
        return MeanState(h, 0.9 * s.m + 0.1 * h), h

    def step_back(
        self, p: NoParams, ds: MeanState, cache: Array
    ) -> tuple[Array, Array, MeanState, NoParams]:
        dz = (ds.h + 0.1 * ds.m) * (1.0 - cache**2)
        return dz, dz, MeanState(np.zeros_like(ds.h), 0.9 * ds.m), p
