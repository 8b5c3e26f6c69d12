"""y = x W^T + b over the last axis: x (..., D), W (V, D), b (V,), y (..., V); in a head, W is that of the embedding.

Press & Wolf, "Using the output embedding to improve language models" (2017), section 2.
"""

from __future__ import annotations

from typing import ClassVar, Self

import attrs
import numpy as np
from attrs.validators import ge, optional

from rnnkit.kinds import Array, DType, Initializer, Params, Rng, SummingLayer
from rnnkit.numerics import add_product
from rnnkit_builtin.initializers.normal import Normal
from rnnkit_builtin.initializers.zeros import Zeros


@attrs.frozen
class TiedParams(Params):
    W: Array  # (V, D)
    b: Array  # (V,)


@attrs.frozen
class Tied(SummingLayer[Array, TiedParams, Array]):
    """Scores of words by the vectors that they are read as, and one number for each word.

    The embedding must be as wide as the input; if not, put `{ use = "affine", units = D }` before.

    Attributes:
        units: V; left open, it is the width that its chain must end in.
        weights: initial W where there is no embedding to take it from; normal with standard deviation 1/sqrt(D) by default.
        bias: initial b.
    """

    units: int | None = attrs.field(default=None, validator=optional(ge(1)))
    weights: Initializer = Normal()
    bias: Initializer = Zeros()
    ties: ClassVar[tuple[str, ...]] = ("W",)

    def fit(self, width: int) -> Self:
        return attrs.evolve(self, units=width) if self.units is None else self

    def out_features(self, in_features: int) -> int:
        if self.units is None:
            raise ValueError(
                "nothing says how many words this tied layer has: make it the last layer of the head, or give it 'units'"
            )
        return self.units

    def init(self, in_features: int, rng: Rng, dtype: DType) -> TiedParams:
        D, V = in_features, self.out_features(in_features)
        return TiedParams(
            W=self.weights.fill((V, D), D, V, rng, dtype), b=self.bias.fill((V,), D, V, rng, dtype)
        )

    def forward(self, p: TiedParams, x: Array, rng: Rng | None) -> tuple[Array, Array]:
        y = x.reshape(-1, x.shape[-1]) @ p.W.T
        y += p.b
        return y.reshape(*x.shape[:-1], y.shape[-1]), x

    def backward(self, p: TiedParams, dy: Array, cache: Array) -> tuple[Array, TiedParams]:
        x = cache.reshape(-1, cache.shape[-1])
        dy = dy.reshape(-1, dy.shape[-1])
        return (dy @ p.W).reshape(cache.shape), TiedParams(W=dy.T @ x, b=dy.sum(axis=0))

    def backward_onto(self, p: TiedParams, dy: Array, cache: Array, sums: TiedParams) -> Array:
        rows = dy.reshape(-1, dy.shape[-1])
        add_product(rows.T, cache.reshape(-1, cache.shape[-1]), sums.W)
        np.add(sums.b, rows.sum(axis=0), out=sums.b)
        return self.backward_input(p, dy, cache)

    def backward_input(self, p: TiedParams, dy: Array, cache: Array) -> Array:
        return (dy.reshape(-1, dy.shape[-1]) @ p.W).reshape(cache.shape)
