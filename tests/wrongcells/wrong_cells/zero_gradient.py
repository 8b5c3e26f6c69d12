"""y = gain x + bias, over the last axis: x, y (..., D), gain, bias (D,).

Wrong: the gradient of gain is 0, as a parameter that was added later often has.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Layer, Params, Rng


@attrs.frozen
class ScaleParams(Params):
    gain: Array  # (D,)
    bias: Array  # (D,)


@attrs.frozen
class ZeroGradient(Layer[Array, ScaleParams, Array]):
    """A gain and a bias for each feature."""

    def out_features(self, in_features: int) -> int:
        return in_features

    def init(self, in_features: int, rng: Rng, dtype: DType) -> ScaleParams:
        return ScaleParams(gain=np.ones(in_features, dtype), bias=np.zeros(in_features, dtype))

    def forward(self, p: ScaleParams, x: Array, rng: Rng | None) -> tuple[Array, Array]:
        return x * p.gain + p.bias, x

    def backward(self, p: ScaleParams, dy: Array, cache: Array) -> tuple[Array, ScaleParams]:
        leading = tuple(range(dy.ndim - 1))
        return dy * p.gain, ScaleParams(gain=np.zeros_like(p.gain), bias=dy.sum(axis=leading))
