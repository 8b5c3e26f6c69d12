"""y = f(x) over the last axis: the equation, in one line; x, y (..., D), gain (D,).

Authors, "Title" (year), section.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Layer, Params, Rng


@attrs.frozen
class NewPluginParams(Params):
    """The parameters; their gradients come in the same class."""

    gain: Array  # (D,)


@attrs.frozen
class NewPluginCache:
    """What `backward` needs from the forward pass, array by array."""

    x: Array  # (..., D)


@attrs.frozen
class NewPlugin(Layer[Array, NewPluginParams, NewPluginCache]):
    """What it is, in one line.

    An option is a field, as in `scale: float = 0.5`, and is described here under `Attributes:`.
    """

    def out_features(self, in_features: int) -> int:
        return in_features

    def init(self, in_features: int, rng: Rng, dtype: DType) -> NewPluginParams:
        return NewPluginParams(gain=np.ones(in_features, dtype))

    def forward(
        self,
        p: NewPluginParams,
        x: Array,  # (..., D)
        rng: Rng | None,  # for layers that are random, while training
    ) -> tuple[Array, NewPluginCache]:
        raise NotImplementedError("write y, from x and p")

    def backward(
        self,
        p: NewPluginParams,
        dy: Array,  # (..., D), the gradient of y
        cache: NewPluginCache,
    ) -> tuple[Array, NewPluginParams]:
        raise NotImplementedError("write dx and the gradients of p, from dy")
