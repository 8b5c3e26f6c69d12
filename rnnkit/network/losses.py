"""The sum of a loss over positions, from the scores of all words or from the log probabilities of the targets."""

from __future__ import annotations

import itertools
from functools import partial

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Loss, Mask, Scalar
from rnnkit.registry.returned import array, pair
from rnnkit.system.process import pieces, together

LOSS_SIZE = 1 << 17
"""Scores that go through the loss at once: what it computes on the way stays in the processor's cache."""


@attrs.frozen(eq=False)
class Terms:
    """The positions whose losses are summed.

    Attributes:
        loss: of each.
        targets: (M,).
        counts: (M,), which positions have a loss.
        scale: what gradients are multiplied by.
        weights: (M,), what the loss of each position is multiplied by; 1 if left open.
    """

    loss: Loss
    targets: Ints
    counts: Mask
    scale: float
    weights: Array | None = None

    def at(self, rows: slice) -> Terms:
        """Those of some positions."""
        weights = None if self.weights is None else self.weights[rows]
        return attrs.evolve(
            self, targets=self.targets[rows], counts=self.counts[rows], weights=weights
        )

    def of_scores(self, scores: Array, dscores: Array | None) -> Scalar:
        """The sum from scores (M, V), its gradient times the scale written to dscores."""
        rows = max(1, LOSS_SIZE // scores.shape[1])
        blocks = slices(len(scores), rows)

        def losses(mine: slice) -> list[Scalar]:
            return [
                self.at(block)._of_block(
                    scores[block], dscores if dscores is None else dscores[block]
                )
                for block in blocks[mine]
            ]

        shares = pieces(len(blocks), rows * scores.shape[1])
        found = together([partial(losses, share) for share in shares])
        return sum(itertools.chain(*found), start=scores.dtype.type(0))

    def _of_block(self, scores: Array, dscores: Array | None) -> Scalar:
        loss, given = self.loss, (scores, self.targets, self.counts)
        method, made = (
            ("evaluate", loss.evaluate(*given))
            if self.weights is None
            else ("weighted", loss.weighted(*given, self.weights))
        )
        value, gradient = pair(loss, method, made, "(loss, dscores)")
        array(loss, method, gradient, scores.shape, "dscores", scores.dtype)
        if dscores is not None:
            np.multiply(gradient, self.scale, out=dscores)
        found: Scalar = array(loss, method, np.asarray(value), (), "the loss", scores.dtype)[()]
        return found

    def of_targets(self, log_probs: Array) -> tuple[Scalar, Array]:
        """The sum by `of_target` from log_probs (M,) of the targets, and its gradient times the scale."""
        loss, method = self.loss, "of_target"
        losses, slopes = pair(loss, method, loss.of_target(log_probs), "(losses, slopes)")
        for what, a in (("losses", losses), ("slopes", slopes)):
            array(loss, method, a, log_probs.shape, what, log_probs.dtype)
        if self.weights is not None:
            losses, slopes = losses * self.weights, slopes * self.weights
        total: Scalar = losses[self.counts].sum()
        dlog_probs: Array = np.where(self.counts, slopes, slopes.dtype.type(0))
        return total, dlog_probs * slopes.dtype.type(self.scale)


def slices(rows: int, size: int) -> list[slice]:
    """All rows, at most `size` at a time."""
    return [slice(i, i + size) for i in range(0, rows, size)]
