"""Which gradients a backward pass goes through, so that those that are wanted come out and no others are paid for."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import attrs

from rnnkit.kinds import Array
from rnnkit.network.chain import Chain
from rnnkit.network.parts import Wanted


@attrs.frozen
class LevelNeeds:
    """Of a recurrent layer.

    Attributes:
        output: whether the gradient of its output is needed at all.
        params: whether that of its own parameters is.
        input: whether that of what it reads is, behind the chain before it.
        below: whether that of what this chain reads is.
    """

    output: bool
    params: bool
    input: bool
    below: bool


@attrs.frozen
class Needs:
    """Of the network without its head.

    Attributes:
        names: of the parameters whose gradients are wanted; None for all.
        features: whether that of the image features is wanted.
        image: whether that of what enters for the image is needed.
        words: whether that of what the words become is.
        levels: of each recurrent layer, bottom to top.
        head: whether that of what the head reads is.
    """

    names: Collection[str] | None
    features: bool
    image: bool
    words: bool
    levels: tuple[LevelNeeds, ...]
    head: bool

    def wanted(self, prefix: str) -> bool:
        """Whether a gradient is wanted of any parameter whose name begins so."""
        return wanted_of(self.names, prefix)

    def among(self, made: Iterable[tuple[str, Array]]) -> dict[str, Array]:
        """The gradients that are wanted."""
        return {name: a for name, a in made if self.names is None or name in self.names}


def wanted_of(names: Collection[str] | None, prefix: str) -> bool:
    """Whether any of these names, None standing for all, begins so."""
    return names is None or any(name.startswith(prefix) for name in names)


def any_of(chain: Chain, wanted: Wanted, name: str) -> bool:
    """Whether the gradient of any parameter of a chain is wanted."""
    return any(wanted(f"{name}.{i}.") for i in range(len(chain.links)))
