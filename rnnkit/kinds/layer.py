"""Differentiable maps over the last axis."""

from __future__ import annotations

import abc
from typing import ClassVar, Generic, Self, TypeVar

from rnnkit.kinds.arrays import Array, DType, Params, Rng
from rnnkit.kinds.plugin import Plugin

X = TypeVar("X")
P = TypeVar("P", bound=Params)
C = TypeVar("C")


class Layer(Plugin, Generic[X, P, C]):
    """A differentiable map with parameters P and a cache C of the author's own choosing.

    X is `Array` for a map of the last axis, whatever stands before it: the same layer serves (N, D),
    (N, T, D) and packed (M, D), and treats each position alone. X is `Ints` for a lookup by token
    (any shape of indices in, one axis more out); such a layer sets `tokens = True`. A layer that draws random
    numbers while training sets `random = True`: equal inputs may then have different outputs. Of a layer in the head, the
    parameters in `ties` are those of the same names of the first layer of `words`: one array each, with one gradient.
    Of a layer that takes tokens, those in `by_token` have a row for each token, which no other token reads.
    """

    noun: ClassVar[str] = "layer"
    group: ClassVar[str] = "rnnkit.layers"
    tokens: ClassVar[bool] = False
    random: ClassVar[bool] = False
    ties: ClassVar[tuple[str, ...]] = ()
    by_token: ClassVar[tuple[str, ...]] = ()

    def fit(self, width: int) -> Self:
        """This layer with an output width that its options left open set to `width`.

        A chain calls it for the width it must end in. A layer that leaves nothing open returns itself.
        """
        return self

    def map_regions(self) -> int | None:
        """L, if the input is a feature map (C, L), flattened with the channels first; None for any vector.

        Features whose layout is known come in this order. Of others, this layer's user is told what it assumes.
        """
        return None

    @abc.abstractmethod
    def out_features(self, in_features: int) -> int:
        """The width of the output for an input of width `in_features` (for tokens: vocabulary size).

        Raises:
            ValueError: the layer cannot take this width, with what to do about it.
        """

    @abc.abstractmethod
    def init(self, in_features: int, rng: Rng, dtype: DType) -> P:
        """Initial parameters, each array of type `dtype`."""

    @abc.abstractmethod
    def forward(self, p: P, x: X, rng: Rng | None) -> tuple[Array, C]:
        """Compute y.

        Args:
            p: the parameters; must not be changed.
            x: (..., D), or integer tokens (...); must not be changed.
            rng: source of randomness while training, for layers that are `random`; None outside training,
                where every layer must be deterministic.

        Returns:
            (y, cache): y (..., D'), and what `backward` needs.
        """

    @abc.abstractmethod
    def backward(self, p: P, dy: Array, cache: C) -> tuple[X | None, P]:
        """Compute (dx, dp) from dy (..., D').

        Returns:
            dx shaped like x (None for tokens), and the gradient of every parameter, in the class of p.
        """

    def backward_input(self, p: P, dy: Array, cache: C) -> X | None:
        """Compute dx alone, for a layer whose parameters are frozen: the same as that of `backward`.

        Worth writing where the parameters' gradient costs a product.
        """
        return self.backward(p, dy, cache)[0]


class SummingLayer(Layer[X, P, C]):
    """A layer that can add the gradient of its parameters to a sum, without arrays of its own for it.

    A head goes back some positions at a time. Worth writing where that gradient is large, such as that of the scores of
    many words. What it puts out may be overwritten before it goes back.
    """

    @abc.abstractmethod
    def backward_onto(self, p: P, dy: Array, cache: C, sums: P) -> X | None:
        """Compute dx, and add dp to the arrays of `sums`: both the same as those of `backward`."""
