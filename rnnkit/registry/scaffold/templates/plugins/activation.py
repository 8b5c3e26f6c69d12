"""y = f(x): the equation, in one line.

Authors, "Title" (year), section.
"""

from __future__ import annotations

import attrs

from rnnkit.kinds import Activation, Array


@attrs.frozen
class NewPlugin(Activation):
    """What it is, in one line.

    An option is a field, as in `slope: float = 0.5`, and is described here under `Attributes:`.
    """

    def forward(self, x: Array) -> tuple[Array, Array]:
        raise NotImplementedError("write y = f(x), and one array for backward, both shaped like x")

    def backward(self, dy: Array, saved: Array) -> Array:
        raise NotImplementedError("write dx = dy f'(x), from what forward saved")

    def kinks(self) -> tuple[float, ...]:
        return ()  # the points where f' jumps, as 0 for relu
