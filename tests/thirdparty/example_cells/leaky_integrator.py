"""h' = (1 - a) h + a tanh(zx + zh), a in (0, 1] the leak rate.

Jaeger, Lukosevicius, Popovici & Siewert, "Optimization and applications of echo state networks with
leaky-integrator neurons" (2007), equation 5.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
from attrs.validators import and_, gt, le

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State


@attrs.frozen
class LeakyIntegrator(GatedCell[NoParams, State, Array]):
    """Leaky integrator.

    Attributes:
        rate: a, how fast the state follows; 1 gives the vanilla cell.
    """

    rate: float = attrs.field(default=0.5, validator=and_(gt(0.0), le(1.0)))
    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, Array]:
        g = np.tanh(zx + zh)
        return State((1.0 - self.rate) * s.h + self.rate * g), g

    def step_back(
        self, p: NoParams, ds: State, cache: Array
    ) -> tuple[Array, Array, State, NoParams]:
        dz = self.rate * ds.h * (1.0 - cache * cache)
        return dz, dz, State((1.0 - self.rate) * ds.h), p
