"""Layers and activations one after the other, each width following from the one before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from rnnkit.kinds import (
    Activation,
    Array,
    DType,
    Ints,
    Layer,
    LikelihoodLayer,
    NoParams,
    Params,
    Rng,
    SummingLayer,
    map_arrays,
    named_arrays,
)
from rnnkit.network.parts import Made, Wanted, everything
from rnnkit.registry.returned import array, like, pair


@attrs.frozen
class Elementwise(Layer[Array, NoParams, Array]):
    """An activation in the place of a layer."""

    activation: Activation

    def out_features(self, in_features: int) -> int:
        return in_features

    def init(self, in_features: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Array]:
        return self.activation.forward(x)

    def backward(self, p: NoParams, dy: Array, cache: Array) -> tuple[Array, NoParams]:
        return self.activation.backward(dy, cache), p


@attrs.frozen
class Link:
    """One layer of a chain with its parameters, and the widths on both sides of it."""

    layer: Layer[Any, Any, Any]
    params: Params = attrs.field(repr=False)
    in_features: int
    out_features: int

    @property
    def plugin(self) -> Layer[Any, Any, Any] | Activation:
        """What the spec names: the layer, or the activation in its place."""
        return self.layer.activation if isinstance(self.layer, Elementwise) else self.layer


@attrs.frozen
class Chain:
    """Links, first to last; an empty chain is the identity."""

    links: tuple[Link, ...]

    @property
    def random(self) -> bool:
        """Whether equal inputs may have different outputs while training."""
        return any(link.layer.random for link in self.links)

    @property
    def likelihood_layer(self) -> LikelihoodLayer[Any, Any, Any] | None:
        """The last layer, if it knows how likely a word is without the others."""
        last = self.links[-1].layer if self.links else None
        return last if isinstance(last, LikelihoodLayer) else None

    @property
    def sums(self) -> bool:
        """Whether the last layer adds its gradients to sums, and does not need its output any more."""
        return bool(self.links) and isinstance(self.links[-1].layer, SummingLayer)

    def __iter__(self) -> Iterator[Link]:
        return iter(self.links)

    def forward(self, x: Array | Ints, rng: Rng | None) -> tuple[Array, list[Any]]:
        """The output for x, and the cache of each link."""
        y: Any = x
        caches = []
        for link in self.links:
            made = link.layer.forward(link.params, y, rng)
            shape = (*(y.shape if link.layer.tokens else y.shape[:-1]), link.out_features)
            given, (y, cache) = y, pair(link.layer, "forward", made, "(y, cache)")
            array(link.layer, "forward", y, shape, "y", floating=True)
            if y.dtype.kind == "c":  # seldom, and only where gradients are checked
                array(link.layer, "forward", y, shape, "y", _type_of(given, link.params))
            caches.append(cache)
        return y, caches

    def backward(
        self,
        dy: Array,
        caches: list[Any],
        wanted: Wanted = everything,
        name: str = "",
        *,
        input: bool = True,
        sums: list[Made] | None = None,
    ) -> tuple[Any, list[Made]]:
        """The gradients with respect to the input (None for tokens) and to each link's parameters.

        Args:
            dy: that of the output.
            caches: of `forward`.
            wanted: of which parameters; those of a link are called `name.NUMBER.`.
            name: of the chain.
            input: whether that of the input is wanted; else it means nothing.
            sums: what those of the wanted parameters are added to, and returned as, if given.
        """
        of = [wanted(f"{name}.{i}.") for i in range(len(self.links))]
        first = 0 if input else next((i for i, one in enumerate(of) if one), len(of))
        grads: list[Made] = [None] * len(of)
        dx: Any = dy
        for i in reversed(range(first, len(of))):
            link, cache = self.links[i], caches[i]
            method = "backward" if of[i] else "backward_input"
            total = None if sums is None else sums[i]
            if of[i] and total is not None and isinstance(link.layer, SummingLayer):
                method = "backward_onto"
                below = link.layer.backward_onto(link.params, dx, cache, total)
                grads[i] = total
            elif of[i]:
                made = link.layer.backward(link.params, dx, cache)
                below, dp = pair(link.layer, method, made, "(dx, dp)")
                own = like(link.layer, method, dp, link.params, "dp", floating=True)
                grads[i] = added(total, own)
            else:
                below = link.layer.backward_input(link.params, dx, cache)
            if not link.layer.tokens:
                shape = (*dx.shape[:-1], link.in_features)
                array(link.layer, method, below, shape, "dx", dx.dtype, floating=True)
            dx = below
        return dx, grads

    def likelihood(self, x: Array, targets: Ints, rng: Rng | None) -> tuple[Array, list[Any]]:
        """The log probabilities (M,) of targets for x (M, ..), by the last layer, and the cache of each link."""
        layer, last = self.likelihood_layer, self.links[-1]
        assert layer is not None
        y, caches = Chain(self.links[:-1]).forward(x, rng)
        made = layer.likelihood(last.params, y, targets)
        log_probs, cache = pair(layer, "likelihood", made, "(log_probs, cache)")
        given = _type_of(y, last.params)
        array(layer, "likelihood", log_probs, targets.shape, "log_probs", given, floating=True)
        return log_probs, [*caches, cache]

    def likelihood_back(
        self,
        dlog_probs: Array,
        caches: list[Any],
        wanted: Wanted = everything,
        name: str = "",
        *,
        input: bool = True,
        sums: list[Made] | None = None,
    ) -> tuple[Any, list[Made]]:
        """The same as `backward`, of what `likelihood` gave."""
        layer, last, method = self.likelihood_layer, self.links[-1], "likelihood_back"
        assert layer is not None
        made = layer.likelihood_back(last.params, dlog_probs, caches[-1])
        dy, dp = pair(layer, method, made, "(dx, dp)")
        shape = len(dlog_probs), last.in_features
        array(layer, method, dy, shape, "dx", dlog_probs.dtype, floating=True)
        own = like(layer, method, dp, last.params, "dp", floating=True)
        below, total = Chain(self.links[:-1]), None if sums is None else sums[-1]
        dx, grads = below.backward(dy, caches[:-1], wanted, name, input=input, sums=sums)
        return dx, [*grads, added(total, own) if wanted(f"{name}.{len(below.links)}.") else None]


def _type_of(x: Array | Ints, params: Params) -> DType:
    """Of what goes into a layer."""
    return np.result_type(x, *(w for _, w in named_arrays(params)))


def added(total: Made, part: Params) -> Params:
    """A part of a gradient, added to the arrays of its sum, if there is one."""
    return part if total is None else map_arrays(lambda a, b: np.add(a, b, out=a), total, part)
