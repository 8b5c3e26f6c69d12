"""Parameters that are looked up by token, of which an update may be of those rows alone that a batch has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Slots, map_arrays, named_arrays
from rnnkit.network.model import Captioner
from rnnkit.numerics import times
from rnnkit.training.blocks import UPDATE_SIZE, Course

NONE: Final[Ints] = np.zeros(0, np.int64)


def looked_up(model: Captioner) -> frozenset[str]:
    """The names of the parameters of which an update is of some rows only, if the spec wants that."""
    if not model.spec.train.lazy:
        return frozenset()
    first, *_ = model.body.words
    return frozenset(f"words.0.{name}" for name in first.layer.by_token)


@attrs.define
class Looked:
    """The rows that a batch has of what is looked up.

    Attributes:
        names: of those parameters.
        tokens: that the batch has, rising, and perhaps some that nothing reads.
    """

    names: frozenset[str]
    tokens: Ints = NONE

    def add(self, tokens: Ints) -> None:
        """These come up, too."""
        if self.names:
            self.tokens = np.union1d(self.tokens, tokens)

    def rows(self, gradient: Array) -> Ints:
        """Those with a gradient."""
        rows: Ints = self.tokens[gradient[self.tokens].any(axis=1)]
        return rows

    def parts(self, gradients: Mapping[str, Array]) -> list[Array]:
        """All gradients, without rows that have none."""
        return [g[self.tokens] if name in self.names else g for name, g in gradients.items()]


def update_rows(
    w: Array,
    slots: Slots,
    course: Course,
    gradient: Array,
    rows: Ints,
    number: int,
    factor: float,
    scale: float,
) -> None:
    """Update rows of a parameter, and of what the optimizer remembers of it; others stay as they are.

    The optimizer is elementwise. Arguments as `update_blocks` has them. As `torch.optim.SparseAdam` and its like do it.
    """
    size = max(1, UPDATE_SIZE // max(1, w[:1].size))
    for i in range(0, len(rows), size):
        mine = rows[i : i + size]
        some, own = w[mine], map_arrays(lambda a, mine=mine: a[mine], slots)
        course.optimizer.update(
            some, times(gradient[mine], scale), own, number - course.begun, factor * course.factor
        )
        w[mine] = some
        for (_, a), (_, b) in zip(named_arrays(slots), named_arrays(own), strict=True):
            a[mine] = b
