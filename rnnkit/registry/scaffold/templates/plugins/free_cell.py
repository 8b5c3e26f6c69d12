"""h' = f(x, h): the equation of the step, in one line.

Wx (D, H), Wh (H, H), b (H,).

Authors, "Title" (year), section.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, Cell, DType, Params, Rng, State


@attrs.frozen
class NewPluginParams(Params):
    """The parameters; their gradients come in the same class."""

    Wx: Array  # (D, H)
    Wh: Array  # (H, H)
    b: Array  # (H,)


@attrs.frozen
class NewPluginCache:
    """What `step_back` needs from the step, array by array."""

    x: Array  # (N, D)
    h_prev: Array  # (N, H)
    h: Array  # (N, H)


@attrs.frozen
class NewPlugin(Cell[NewPluginParams, State, NewPluginCache]):
    """What it is, in one line.

    An option is a field, as in `rate: float = 0.5`, and is described here under `Attributes:`.
    """

    def init(
        self,
        in_features: int,
        hidden: int,
        rng: Rng,
        dtype: DType,
    ) -> NewPluginParams:
        D, H = in_features, hidden
        return NewPluginParams(
            Wx=rng.normal(0.0, 1.0 / np.sqrt(D), (D, H)).astype(dtype),
            Wh=rng.normal(0.0, 1.0 / np.sqrt(H), (H, H)).astype(dtype),
            b=np.zeros(H, dtype),
        )

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(
        self,
        p: NewPluginParams,
        x: Array,  # (N, D)
        s: State,  # s.h (N, H)
    ) -> tuple[State, NewPluginCache]:
        raise NotImplementedError("write the step, from x and s to the next state")

    def step_back(
        self,
        p: NewPluginParams,
        ds: State,  # ds.h (N, H), the gradient of the next state
        cache: NewPluginCache,
    ) -> tuple[Array, State, NewPluginParams]:
        raise NotImplementedError("write the step back, from ds to dx and the gradients of s and p")
