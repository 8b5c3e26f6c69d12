"""y = gain (x - mean) / sqrt(var + eps) + bias, mean and var over the last axis: x, y (..., D), gain, bias (D,).

Ba, Kiros & Hinton, "Layer normalization" (2016), equation 4; var is the biased one.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Layer, Params, Rng


@attrs.frozen
class LayerNormParams(Params):
    gain: Array  # (D,)
    bias: Array  # (D,)


@attrs.frozen
class LayerNormCache:
    z: Array  # (..., D), the normalized x
    scale: Array  # (..., 1), 1 / sqrt(var + eps)


@attrs.frozen
class LayerNorm(Layer[Array, LayerNormParams, LayerNormCache]):
    """Layer normalization, with a gain of 1 and a bias of 0 to begin with.

    Attributes:
        eps: added to the variance, above 0.
    """

    eps: float = attrs.field(default=1e-5, validator=attrs.validators.gt(0.0))

    def out_features(self, in_features: int) -> int:
        return in_features

    def init(self, in_features: int, rng: Rng, dtype: DType) -> LayerNormParams:
        return LayerNormParams(gain=np.ones(in_features, dtype), bias=np.zeros(in_features, dtype))

    def forward(
        self, p: LayerNormParams, x: Array, rng: Rng | None
    ) -> tuple[Array, LayerNormCache]:
        z = x - x.mean(axis=-1, keepdims=True)
        scale = np.reciprocal(np.sqrt((z * z).mean(axis=-1, keepdims=True) + self.eps))
        z *= scale
        return z * p.gain + p.bias, LayerNormCache(z, scale)

    def backward(
        self, p: LayerNormParams, dy: Array, cache: LayerNormCache
    ) -> tuple[Array, LayerNormParams]:
        z, axes = cache.z, tuple(range(dy.ndim - 1))
        dz = dy * p.gain
        dx = dz - dz.mean(axis=-1, keepdims=True) - z * (dz * z).mean(axis=-1, keepdims=True)
        dx *= cache.scale
        return dx, LayerNormParams(gain=(dy * z).sum(axis=axes), bias=dy.sum(axis=axes))
