"""y = W[tokens]: tokens (...) in [0, V), W (V, D), y (..., D).

Bengio, Ducharme, Vincent & Jauvin, "A neural probabilistic language model" (2003), section 2.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import ge

from rnnkit.kinds import Array, DType, Initializer, Ints, Layer, Params, Rng
from rnnkit.numerics import sum_rows
from rnnkit_builtin.initializers.normal import Normal


@attrs.frozen
class EmbeddingParams(Params):
    W: Array  # (V, D)


@attrs.frozen
class Embedding(Layer[Ints, EmbeddingParams, Ints]):
    """A vector for each token of a vocabulary.

    Attributes:
        dim: D, the width of the vectors.
        weights: initial W; a lookup sums over nothing, so its fan-in is 1 and its fan-out D.
    """

    dim: int = attrs.field(validator=ge(1))
    weights: Initializer = Normal(std=0.01)
    tokens: ClassVar[bool] = True
    by_token: ClassVar[tuple[str, ...]] = ("W",)

    def out_features(self, in_features: int) -> int:
        return self.dim

    def init(self, in_features: int, rng: Rng, dtype: DType) -> EmbeddingParams:
        shape = (in_features, self.dim)
        return EmbeddingParams(W=self.weights.fill(shape, 1, self.dim, rng, dtype))

    def forward(self, p: EmbeddingParams, x: Ints, rng: Rng | None) -> tuple[Array, Ints]:
        return p.W[x], x

    def backward(self, p: EmbeddingParams, dy: Array, cache: Ints) -> tuple[None, EmbeddingParams]:
        rows, tokens = dy.reshape(-1, self.dim), cache.reshape(-1)
        return None, EmbeddingParams(W=sum_rows(rows, tokens, len(p.W)))
