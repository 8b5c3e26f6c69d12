"""Parameters of a whole network, or their gradients: part by part, and flat by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import attrs

from rnnkit.kinds import Array, Params, named_arrays

Made: TypeAlias = Params | None
"""The gradient of a part of the network; None where none is wanted."""

Wanted: TypeAlias = Callable[[str], bool]
"""Whether a gradient is wanted of any parameter whose name begins so."""


def everything(_: str) -> bool:
    """All gradients are wanted."""
    return True


@attrs.frozen
class Parts:
    """One container of arrays for each part of the network, in its chains one for each link."""

    image: list[Made]
    words: list[Made]
    inputs: list[list[Made]]
    rnns: list[Made]
    head: list[Made]

    def named(self) -> Iterator[tuple[str, Array]]:
        """Every array with its dotted name, in the order of the forward pass."""
        yield from named_chain("image", self.image)
        yield from named_chain("words", self.words)
        for i, (inputs, rnn) in enumerate(zip(self.inputs, self.rnns, strict=True)):
            yield from named_level(i, inputs, rnn)
        yield from named_chain("head", self.head)


def named_level(i: int, inputs: Iterable[Made], rnn: Made) -> Iterator[tuple[str, Array]]:
    """Every array of a recurrent layer and the chain before it."""
    yield from named_chain(f"rnn.{i}.input", inputs)
    if rnn is not None:
        yield from named_arrays(rnn, f"rnn.{i}.")


def named_chain(name: str, params: Iterable[Made]) -> Iterator[tuple[str, Array]]:
    """Every array of a chain."""
    for i, p in enumerate(params):
        if p is not None:
            yield from named_arrays(p, f"{name}.{i}.")
