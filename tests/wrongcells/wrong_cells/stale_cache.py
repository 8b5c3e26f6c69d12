"""h' = tanh(zx + zh).

Wrong: h' is kept in the module, where the next step overwrites it, and not in the cache.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State

LAST: dict[str, Array] = {}


@attrs.frozen
class StaleCache(GatedCell[NoParams, State, None]):
    """The plain recurrent network."""

    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, None]:
        h = np.tanh(zx + zh)
        LAST["h"] = h
        return State(h), None

    def step_back(
        self, p: NoParams, ds: State, cache: None
    ) -> tuple[Array, Array, State, NoParams]:
        dz = ds.h * (1.0 - LAST["h"] ** 2)
        return dz, dz, State(np.zeros_like(ds.h)), p
