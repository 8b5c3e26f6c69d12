"""h' = f(x, h): the equation of the step, in one line."""

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, FreeStep, Params, Rng, State


@attrs.frozen
class NewPluginParams(Params):
    """The parameters."""

    Wx: Array  # (D, H)
    Wh: Array  # (H, H)


@attrs.frozen
class NewPlugin(FreeStep[NewPluginParams, State]):
    """What it is, in one line."""

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> NewPluginParams:
        D, H = in_features, hidden
        return NewPluginParams(
            Wx=rng.normal(0.0, 1.0 / np.sqrt(D), (D, H)).astype(dtype),
            Wh=rng.normal(0.0, 1.0 / np.sqrt(H), (H, H)).astype(dtype),
        )

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(
        self,
        p: NewPluginParams,
        x: Array,  # (N, D)
        s: State,  # s.h (N, H)
    ) -> State:
        raise NotImplementedError("write the step, from x (N, D) and s to the next state")
