"""y = W[tokens]: tokens (...) in [0, V), W (V, D), y (..., D).

Bengio, Ducharme, Vincent & Jauvin, "A neural probabilistic language model" (2003), section 2.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
from attrs.validators import ge

from rnnkit.kinds import Array, DType, Initializer, Ints, Layer, Params, Rng
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

    def out_features(self, in_features: int) -> int:
        return self.dim

    def init(self, in_features: int, rng: Rng, dtype: DType) -> EmbeddingParams:
        shape = (in_features, self.dim)
        return EmbeddingParams(W=self.weights.fill(shape, 1, self.dim, rng, dtype))

    def forward(self, p: EmbeddingParams, x: Ints, rng: Rng | None) -> tuple[Array, Ints]:
        return p.W[x], x

    def backward(self, p: EmbeddingParams, dy: Array, cache: Ints) -> tuple[None, EmbeddingParams]:
        dW = np.zeros_like(p.W)
        sum_rows_by_token(dy.reshape(-1, self.dim), cache.reshape(-1), out=dW)
        return None, EmbeddingParams(W=dW)


def sum_rows_by_token(rows: Array, tokens: Ints, out: Array) -> None:
    """out[v] = sum of the rows whose token is v, for every v that occurs.

    Sorting the tokens and summing the rows of each is about ten times as fast as `np.add.reduceat`, or as a
    product with a one-hot matrix.

    Args:
        rows: (M, D).
        tokens: (M,) in [0, V).
        out: (V, D); rows of tokens that do not occur are left as they are.
    """
    order = np.argsort(tokens, kind="stable")
    ranked = tokens[order]
    begins = np.flatnonzero(np.diff(ranked, prepend=-1))
    ends = np.append(begins[1:], len(ranked))
    single = ends - begins == 1
    out[ranked[begins[single]]] = rows[order[begins[single]]]
    for begin, end in zip(begins[~single].tolist(), ends[~single].tolist(), strict=True):
        np.add.reduce(rows[order[begin:end]], axis=0, out=out[ranked[begin]])
