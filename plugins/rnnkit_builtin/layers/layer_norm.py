"""y = gain (x - mean) / sqrt(var + eps) + bias, mean and var over the last axis: x, y (..., D), gain, bias (D,).

Ba, Kiros & Hinton, "Layer normalization" (2016), equation 4; var is the biased one.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Layer, Params, Rng
from rnnkit.numerics import Normalized, normalize, normalize_back


@attrs.frozen
class LayerNormParams(Params):
    gain: Array  # (D,)
    bias: Array  # (D,)


@attrs.frozen
class LayerNorm(Layer[Array, LayerNormParams, Normalized]):
    """Layer normalization, with a gain of 1 and a bias of 0 to begin with.

    Attributes:
        eps: added to the variance, above 0.
    """

    eps: float = attrs.field(default=1e-5, validator=attrs.validators.gt(0.0))

    def out_features(self, in_features: int) -> int:
        return in_features

    def init(self, in_features: int, rng: Rng, dtype: DType) -> LayerNormParams:
        return LayerNormParams(gain=np.ones(in_features, dtype), bias=np.zeros(in_features, dtype))

    def forward(self, p: LayerNormParams, x: Array, rng: Rng | None) -> tuple[Array, Normalized]:
        normalized = normalize(x, self.eps)
        return normalized.z * p.gain + p.bias, normalized

    def backward(
        self, p: LayerNormParams, dy: Array, cache: Normalized
    ) -> tuple[Array, LayerNormParams]:
        axes = tuple(range(dy.ndim - 1))
        dp = LayerNormParams(gain=(dy * cache.z).sum(axis=axes), bias=dy.sum(axis=axes))
        return normalize_back(dy * p.gain, cache), dp
