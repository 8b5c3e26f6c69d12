"""h' = tanh(zx - m + zh), m the mean of zx over the sequence.

Wrong: it finds the other steps' zx in the array that its own is a view of, so that later inputs change earlier
outputs.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State


@attrs.frozen
class LookAhead(GatedCell[NoParams, State, Array]):
    """The plain recurrent network, its inputs centred over the sequence."""

    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, Array]:
        z = zx + zh
        if zx.base is not None and len(zx.base) > len(zx):
            z = z - zx.base.mean(axis=0)
        h = np.tanh(z)
        return State(h), h

    def step_back(
        self, p: NoParams, ds: State, cache: Array
    ) -> tuple[Array, Array, State, NoParams]:
        dz = ds.h * (1.0 - cache**2)
        return dz, dz, State(np.zeros_like(ds.h)), p
