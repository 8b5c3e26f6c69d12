"""Parameters of a whole network, or their gradients: part by part, and flat by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from rnnkit.kinds import Array, Params, named_arrays


@attrs.frozen
class Parts:
    """One container of arrays for each part of the network, in its chains one for each link."""

    image: list[Params]
    words: list[Params]
    inputs: list[list[Params]]
    rnns: list[Params]
    head: list[Params]

    def named(self) -> Iterator[tuple[str, Array]]:
        """Every array with its dotted name, in the order of the forward pass."""
        yield from _chain("image", self.image)
        yield from _chain("words", self.words)
        for i, (inputs, rnn) in enumerate(zip(self.inputs, self.rnns, strict=True)):
            yield from _chain(f"rnn.{i}.input", inputs)
            yield from named_arrays(rnn, f"rnn.{i}.")
        yield from _chain("head", self.head)


def _chain(name: str, params: Iterable[Params]) -> Iterator[tuple[str, Array]]:
    for i, p in enumerate(params):
        yield from named_arrays(p, f"{name}.{i}.")
