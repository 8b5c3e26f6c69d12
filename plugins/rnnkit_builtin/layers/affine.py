"""y = x W + b over the last axis: x (..., D), W (D, M), b (M,), y (..., M)."""

from __future__ import annotations

from typing import Self

import attrs
import numpy as np
from attrs.validators import ge, optional

from rnnkit.kinds import Array, DType, Initializer, Params, Rng, SummingLayer
from rnnkit.numerics import add_product, product
from rnnkit_builtin.initializers.normal import Normal
from rnnkit_builtin.initializers.zeros import Zeros


@attrs.frozen
class AffineParams(Params):
    W: Array  # (D, M)
    b: Array  # (M,)


@attrs.frozen
class Affine(SummingLayer[Array, AffineParams, Array]):
    """Fully connected layer.

    Attributes:
        units: M, the width of the output; left open, it is the width that its chain must end in.
        weights: initial W; normal with standard deviation 1/sqrt(D) by default.
        bias: initial b.
    """

    units: int | None = attrs.field(default=None, validator=optional(ge(1)))
    weights: Initializer = Normal()
    bias: Initializer = Zeros()

    def fit(self, width: int) -> Self:
        return attrs.evolve(self, units=width) if self.units is None else self

    def out_features(self, in_features: int) -> int:
        if self.units is None:
            raise ValueError(
                "nothing says how wide the output of this affine layer is: give it 'units' "
                "(only where a chain must end in a known width can it be left open)"
            )
        return self.units

    def init(self, in_features: int, rng: Rng, dtype: DType) -> AffineParams:
        D, M = in_features, self.out_features(in_features)
        return AffineParams(
            W=self.weights.fill((D, M), D, M, rng, dtype), b=self.bias.fill((M,), D, M, rng, dtype)
        )

    def forward(self, p: AffineParams, x: Array, rng: Rng | None) -> tuple[Array, Array]:
        y = product(x.reshape(-1, x.shape[-1]), p.W)
        y += p.b
        return y.reshape(*x.shape[:-1], y.shape[-1]), x

    def backward(self, p: AffineParams, dy: Array, cache: Array) -> tuple[Array, AffineParams]:
        x = cache.reshape(-1, cache.shape[-1])
        dy = dy.reshape(-1, dy.shape[-1])
        return product(dy, p.W.T).reshape(cache.shape), AffineParams(
            product(x.T, dy), dy.sum(axis=0)
        )

    def backward_onto(self, p: AffineParams, dy: Array, cache: Array, sums: AffineParams) -> Array:
        rows = dy.reshape(-1, dy.shape[-1])
        add_product(cache.reshape(-1, cache.shape[-1]).T, rows, sums.W)
        np.add(sums.b, rows.sum(axis=0), out=sums.b)
        return self.backward_input(p, dy, cache)

    def backward_input(self, p: AffineParams, dy: Array, cache: Array) -> Array:
        return product(dy.reshape(-1, dy.shape[-1]), p.W.T).reshape(cache.shape)
