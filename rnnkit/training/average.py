"""The moving average of the parameters, which evaluations and the best model are of.

    a' = d a + (1 - d) w   after update t of the average, with d = min(decay, (1 + t) / (10 + t))

So a begins as w, and early values, which are far off, are forgotten sooner (the warm-up of TensorFlow's
`ExponentialMovingAverage`).

Polyak & Juditsky, "Acceleration of stochastic approximation by averaging" (1992).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import attrs

from rnnkit.kinds import Array
from rnnkit.network.model import Captioner
from rnnkit.system.process import pieces, together
from rnnkit.training.blocks import UPDATE_SIZE, cuts


@attrs.define
class Average:
    """The averages of parameters; each rank has all of them, of the same bits.

    Attributes:
        decay: how much stays from update to update, when it has warmed up.
        begun: updates of the run before the first that it counts.
        values: by name, of the parameters that have ever learnt; the average of others is what they are.
    """

    decay: float
    begun: int = 0
    values: dict[str, Array] = attrs.field(factory=dict)

    def cover(self, model: Captioner, names: Collection[str]) -> None:
        """Average these parameters from now on, too."""
        parameters = model.parameters
        for name in names:
            if name not in self.values:
                self.values[name] = parameters[name].copy()

    def take(self, model: Captioner, number: int) -> None:
        """Take in the parameters after this update of the run."""
        t, parameters = number - self.begun, model.parameters
        share = 1.0 - min(self.decay, (1.0 + t) / (10.0 + t))
        blocks = [
            (a[part], parameters[name][part]) for name, a in self.values.items() for part in cuts(a)
        ]

        def move(mine: Sequence[tuple[Array, Array]]) -> None:
            for a, w in mine:
                change = w - a
                change *= share
                a += change

        together([partial(move, blocks[part]) for part in pieces(len(blocks), UPDATE_SIZE)])

    def of(self, model: Captioner) -> Captioner:
        """The model with averages for parameters, which go on changing."""
        return model.with_parameters(model.parameters | self.values)
