"""Layers and activations one after the other, each width following from the one before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from rnnkit.errors import RegistryError, quoted
from rnnkit.kinds import Activation, Array, DType, Ints, Layer, NoParams, Params, Rng
from rnnkit.registry import entry_of


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

    def __iter__(self) -> Iterator[Link]:
        return iter(self.links)

    def forward(self, x: Array | Ints, rng: Rng | None) -> tuple[Array, list[Any]]:
        """The output for x, and the cache of each link."""
        y: Any = x
        caches = []
        for link in self.links:
            made = link.layer.forward(link.params, y, rng)
            shape = (*(y.shape if link.layer.tokens else y.shape[:-1]), link.out_features)
            y, cache = _pair(link, "forward", "(y, cache)", made, shape)
            caches.append(cache)
        return y, caches

    def backward(self, dy: Array, caches: list[Any]) -> tuple[Any, list[Params]]:
        """The gradients with respect to the input (None for tokens) and to each link's parameters."""
        grads: list[Params] = []
        dx: Any = dy
        for link, cache in zip(reversed(self.links), reversed(caches), strict=True):
            made = link.layer.backward(link.params, dx, cache)
            shape = None if link.layer.tokens else (*dx.shape[:-1], link.in_features)
            dx, dp = _pair(link, "backward", "(dx, gradients)", made, shape)
            grads.append(dp)
        return dx, grads[::-1]


def _pair(
    link: Link, method: str, wanted: str, made: Any, shape: tuple[int, ...] | None
) -> tuple[Any, Any]:
    """What a layer has returned, whose first must be an array of this shape, if it may not be left out."""
    if not isinstance(made, tuple) or len(made) != 2:
        raise RegistryError(f"{_named(link)}: {method} returned {quoted(made)}, not {wanted}")
    first = made[0]
    if shape is not None and getattr(first, "shape", None) != shape:
        given = getattr(first, "shape", None)
        what = quoted(first) if given is None else f"an array of shape {given}"
        raise RegistryError(
            f"{_named(link)}: {method} returned {what} as the first of {wanted}, but it must be an array of "
            f"shape {shape}"
        )
    return made


def _named(link: Link) -> object:
    """A layer with its package, for a sentence."""
    return entry_of(link.plugin) or type(link.plugin).__name__
