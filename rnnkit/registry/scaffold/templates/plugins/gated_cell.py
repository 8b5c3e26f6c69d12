"""h' = f(zx, zh, h): the equation of the step, in one line.

zx = x Wx + b and zh = h Wh, with Wx (D, H), Wh (H, H), b (H,); one gate, h.

Authors, "Title" (year), section.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from rnnkit.kinds import Array, DType, GatedCell, NoParams, Rng, State


@attrs.frozen
class NewPluginCache:
    """What `step_back` needs from the step, array by array."""

    h: Array  # (N, H)


@attrs.frozen
class NewPlugin(GatedCell[NoParams, State, NewPluginCache]):
    """What it is, in one line.

    An option is a field, as in `rate: float = 0.5`, and is described here under `Attributes:`.
    """

    x_gates: ClassVar[tuple[str, ...]] = ("h",)  # each has H columns of zx, in this order
    h_gates: ClassVar[tuple[str, ...]] = ("h",)  # each has H columns of zh

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
    ) -> tuple[State, NewPluginCache]:
        raise NotImplementedError("write the step, from zx, zh and s to the next state")

    def step_back(
        self,
        p: NoParams,
        ds: State,  # ds.h (N, H), the gradient of the next state
        cache: NewPluginCache,
    ) -> tuple[Array, Array, State, NoParams]:
        raise NotImplementedError("write the step back, from ds to dzx, dzh and the gradient of s")
