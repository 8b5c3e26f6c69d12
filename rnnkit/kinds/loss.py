"""Losses over scores."""

from __future__ import annotations

import abc
from typing import ClassVar

from rnnkit.kinds.arrays import Array, Ints, Mask, Scalar
from rnnkit.kinds.plugin import Plugin


class Loss(Plugin):
    """A sum over positions of a function of that position's scores and target.

    Being a sum, it can be computed block by block, so that the scores of a whole batch never exist at
    once. The model divides the sum by the number of captions.
    """

    noun: ClassVar[str] = "loss"
    group: ClassVar[str] = "rnnkit.losses"

    @abc.abstractmethod
    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        """Compute the loss and its gradient.

        Args:
            scores: (M, V), unnormalized; must not be changed.
            targets: (M,), in [0, V).
            mask: (M,), False where a position has no loss.

        Returns:
            (loss, dscores): the sum over unmasked positions, and its gradient (M, V), zero where masked.
        """
