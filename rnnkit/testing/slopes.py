"""The derivative of every output with respect to every element of a leaf, which a wrong gradient is held against."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.example import Leaves
from rnnkit.testing.judge import Judge

MOST_SWEPT: Final = 4000
"""Elements of one leaf that are differentiated one by one; of larger leaves, evenly spread ones are."""

MOST_USES: Final = 200
"""Positions of an output, as the words of captions, that are looked at one by one."""


@attrs.frozen
class Slopes:
    """The derivative of every output with respect to every element of one leaf.

    Attributes:
        shape: of the leaf.
        table: (size of the leaf, *shape of the output) by output; nan where a large leaf is not sampled.
    """

    shape: tuple[int, ...]
    table: Leaves

    @property
    def by_row(self) -> bool:
        """Whether each index of the first axis has an effect on this row of every output, and on no other."""
        for table in self.table.values():
            if not self.shape or table.ndim < 2 or table.shape[1] != self.shape[0]:
                return False
            rows = table.reshape(self.shape[0], -1, *table.shape[1:])
            for row in range(self.shape[0]):
                if np.any(np.delete(rows[row], row, axis=1)):
                    return False
        return True

    def uses(self, cotangents: Leaves) -> list[Array]:
        """What each position of an output adds to the gradient, if it is a row of the leaf that has been looked up."""
        if len(cotangents) != 1 or len(self.shape) != 2:
            return []
        ((name, c),) = cotangents.items()
        places = list(np.ndindex(c.shape[:-1]))
        if c.shape[-1:] != self.shape[1:] or len(places) > MOST_USES:
            return []
        added: list[Array] = []
        for place in places:
            terms = self.table[name][(slice(None), *place)] @ c[place]
            share = terms.reshape(self.shape)
            rows = np.flatnonzero(np.any(share, axis=1))
            if len(rows) != 1 or not np.allclose(share[rows[0]], c[place], rtol=1e-6):
                return []
            added.append(share)
        return added

    def along(self, cotangents: Leaves) -> Array:
        """The gradient of sum(cotangent * output), shaped like the leaf."""
        terms = [np.tensordot(self.table[k], c, np.ndim(c)) for k, c in cotangents.items()]
        return np.asarray(sum(terms)).reshape(self.shape)


def sweep(judge: Judge, name: str) -> Slopes:
    """Differentiate with respect to the elements of a leaf one by one."""
    leaf = judge.example.leaves[name]
    table = {k: np.full((leaf.size, *np.shape(c)), np.nan) for k, c in judge.cotangents.items()}
    for i in range(0, leaf.size, -(-leaf.size // MOST_SWEPT)):
        direction = np.zeros(leaf.size)
        direction[i] = 1.0
        derivative = judge.derivative({name: direction.reshape(leaf.shape)})
        for k in table:
            table[k][i] = derivative[k]
    return Slopes(leaf.shape, table)
