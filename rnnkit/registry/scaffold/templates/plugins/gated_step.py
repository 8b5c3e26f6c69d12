"""h' = f(zx, zh, h): the equation of the step, in one line."""

from typing import ClassVar

import attrs

from rnnkit.kinds import Array, DType, GatedStep, NoParams, Rng, State


@attrs.frozen
class NewPlugin(GatedStep[NoParams, State]):
    """What it is, in one line."""

    x_gates: ClassVar[tuple[str, ...]] = ("h",)  # each has H columns of zx = x Wx + b
    h_gates: ClassVar[tuple[str, ...]] = ("h",)  # each has H columns of zh = h Wh

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(
        self,
        p: NoParams,
        zx: Array,  # (N, H) for each x-gate
        zh: Array,  # (N, H) for each h-gate
        s: State,  # s.h (N, H)
    ) -> State:
        raise NotImplementedError("write the step, from zx, zh and s to the next state")
