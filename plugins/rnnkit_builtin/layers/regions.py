"""y = x W + b in every region: x (.., F L) -> y (.., M L), features before regions; W (F, M), b (M,).

That is a convolution with a kernel of 1 x 1 over a feature map (F, 4, 4), flattened, with L = 16 regions.

Lin, Chen & Yan, "Network in network" (2014), section 3.1.
"""

from __future__ import annotations

from typing import Self

import attrs
import numpy as np
from attrs.validators import ge, optional

from rnnkit.kinds import Array, DType, Initializer, Layer, Params, Rng
from rnnkit_builtin.initializers.normal import Normal
from rnnkit_builtin.initializers.zeros import Zeros


@attrs.frozen
class RegionsParams(Params):
    W: Array  # (F, M)
    b: Array  # (M,)


@attrs.frozen
class Regions(Layer[Array, RegionsParams, Array]):
    """The same affine function in every region of a feature map.

    Attributes:
        count: L, the number of regions; the width of the input must be a multiple of it.
        units: M, features of each region; left open, they are as many as its chain must end in.
        weights: initial W; normal with standard deviation 1/sqrt(F) by default.
        bias: initial b.
    """

    count: int = attrs.field(validator=ge(1))
    units: int | None = attrs.field(default=None, validator=optional(ge(1)))
    weights: Initializer = Normal()
    bias: Initializer = Zeros()

    def fit(self, width: int) -> Self:
        if self.units is not None or width % self.count:
            return self
        return attrs.evolve(self, units=width // self.count)

    def map_regions(self) -> int:
        return self.count

    def out_features(self, in_features: int) -> int:
        if in_features % self.count:
            raise ValueError(
                f"an input of width {in_features} cannot be {self.count} regions of the same width; "
                "give 'count' the number of regions"
            )
        if self.units is None:
            raise ValueError(
                "nothing says how many features each region has: give this layer 'units' "
                "(only where a chain must end in a known width can it be left open)"
            )
        return self.units * self.count

    def init(self, in_features: int, rng: Rng, dtype: DType) -> RegionsParams:
        F, M = in_features // self.count, self.out_features(in_features) // self.count
        return RegionsParams(
            W=self.weights.fill((F, M), F, M, rng, dtype), b=self.bias.fill((M,), F, M, rng, dtype)
        )

    def forward(self, p: RegionsParams, x: Array, rng: Rng | None) -> tuple[Array, Array]:
        y = p.W.T @ x.reshape(*x.shape[:-1], -1, self.count)
        y += p.b[:, None]
        return y.reshape(*x.shape[:-1], -1), x

    def backward(self, p: RegionsParams, dy: Array, cache: Array) -> tuple[Array, RegionsParams]:
        x = cache.reshape(-1, len(p.W), self.count)
        dy = dy.reshape(-1, len(p.b), self.count)
        dW = np.tensordot(x, dy, axes=((0, 2), (0, 2)))
        return (p.W @ dy).reshape(cache.shape), RegionsParams(dW, dy.sum(axis=(0, 2)))
