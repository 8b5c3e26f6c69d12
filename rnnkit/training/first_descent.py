"""Updates by the first of several ranks, for optimizers that must see whole arrays, or whole rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnkit.kinds import Array, Ints
from rnnkit.network.model import Captioner
from rnnkit.numerics import sum_of_squares
from rnnkit.parallel import Ranks
from rnnkit.training.blocks import Course
from rnnkit.training.descent import Descent, WholeDescent, alike
from rnnkit.training.lazy import Looked, looked_up


class FirstDescent(Descent):
    """In several ranks: gradients are summed over all, the first one updates, and gives the others its parameters.

    A rule that is not elementwise cannot be shared out piece by piece, nor can rows of a parameter. What it remembers is small, so that one rank may
    well have all of it; every parameter is computed in one place, so that all ranks have the same bits.
    """

    def __init__(
        self, model: Captioner, ranks: Ranks, courses: Mapping[str, Course] | None = None
    ) -> None:
        """Start from the first rank's parameters, with nothing to remember; `model` stays as it is."""
        self._ranks = ranks
        self.courses = alike(model) if courses is None else courses
        values = {name: np.array(w, order="C") for name, w in model.parameters.items()}
        for w in values.values():
            ranks.copy(w)
        self.model = model.with_parameters(values)
        self._own = WholeDescent(self.model, {} if ranks.rank else self.courses)
        self._gradients = {name: np.zeros_like(values[name]) for name in self.courses}
        self._missing = set(self._gradients)
        self._looked = Looked(looked_up(model))

    def take(self, gradients: Mapping[str, Array]) -> None:
        for name, gradient in gradients.items():
            self._gradients[name][...] = gradient
        self._missing.difference_update(gradients)

    def looked_up(self, tokens: Ints) -> None:
        self._looked.add(tokens)

    def taken(self) -> None:
        for name, gradient in self._gradients.items():
            if name in self._missing:
                gradient.fill(0.0)
            self._ranks.sum(gradient)
        if self._looked.names:  # the rows of all ranks
            there = np.zeros(len(self.model.vocabulary))
            there[self._looked.tokens] = 1.0
            self._ranks.sum(there)
            self._own.looked_up(np.flatnonzero(there))
            self._looked = Looked(self._looked.names)
        self._missing = set(self._gradients)
        if not self._ranks.rank:
            self._own.take(self._gradients)

    def square(self) -> float:
        return 0.0 if self._ranks.rank else sum_of_squares(self._gradients.values())

    def update(self, number: int, factor: float, scale: float) -> None:
        self._own.update(number, factor, scale)
        for name in self.courses:
            self._ranks.copy(self.model.parameters[name])

    def slots(self) -> dict[str, dict[str, Array]]:
        return self._own.slots()

    def set_slots(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        self._own.set_slots(slots)
