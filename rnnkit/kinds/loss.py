"""Losses over scores."""

from __future__ import annotations

import abc
from typing import ClassVar

import numpy as np

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

    def of_target(self, log_probs: Array) -> tuple[Array, Array] | None:
        """The loss of each position from the log probability of its target, where that is all it depends on.

        `LikelihoodLayer` then need not compute the scores of all other words.

        Args:
            log_probs: (M,), log softmax(scores)[target]; must not be changed.

        Returns:
            (losses, slopes): (M,) each, the loss of each position and its derivative by the log probability; None, unless
            overridden, for a loss that depends on other scores too.
        """
        return None

    def weighted(
        self, scores: Array, targets: Ints, mask: Mask, weights: Array
    ) -> tuple[Scalar, Array]:
        """Compute the sum with each position's loss multiplied by a number.

        As a loss is a sum over positions, that follows from `evaluate`, which is called once for each different
        weight, with the positions that have it. Override it where that can be done at once.

        Args:
            scores: as in `evaluate`, which it shares three arguments with.
            targets: (M,).
            mask: (M,).
            weights: (M,), of any sign, in the type of the scores; must not be changed.

        Returns:
            (loss, dscores): the sum over unmasked positions of weight times loss, and its gradient (M, V).
        """
        total: Scalar = scores.dtype.type(0)
        dscores = np.zeros_like(scores)
        kinds, which = np.unique(weights, return_inverse=True)
        for i, weight in enumerate(kinds):
            rows = np.flatnonzero(which == i)
            loss, gradient = self.evaluate(scores[rows], targets[rows], mask[rows])
            total = total + weight * loss
            dscores[rows] = weight * gradient
        return total, dscores
