"""The head and the loss of its scores, a block of positions at a time, so that (M, V) scores never exist at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Ints, Loss, Mask, Rng, Scalar, map_arrays
from rnnkit.network.chain import Chain
from rnnkit.network.losses import Terms, slices
from rnnkit.network.parts import Made, Wanted, everything
from rnnkit.numerics import log_softmax
from rnnkit.system.process import pieces, together

HEAD_ROWS = 1024
"""Positions that go through the head at once: their scores (1024, V) are the only ones in memory."""

HEAD_BYTES = 16 << 20
"""Bytes of scores that should do: of a large vocabulary, fewer positions go through the head at once."""

LEAST_HEAD_ROWS = 128
"""But not fewer than this: every block's share of the head's gradient is added to the sum over blocks."""

Back: TypeAlias = Callable[..., tuple[Array, list[Made]]]
"""From which gradients are wanted to that of what the head reads, and those of its links."""


@attrs.frozen(eq=False)
class Head:
    """From the outputs of the top recurrent layer to scores, and what these are worth.

    Attributes:
        chain: what the outputs pass through.
        width: V, of the scores.
    """

    chain: Chain
    width: int

    def evaluate(
        self,
        h: Array,
        targets: Ints,
        counts: Mask,
        loss: Loss,
        rng: Rng | None,
        scale: float,
        *,
        backward: bool,
        weights: Array | None = None,
        wanted: Wanted = everything,
        below: bool = True,
    ) -> tuple[Scalar, Array, list[Made]]:
        """The sum of the loss over positions.

        Args:
            h: (M, ..), what the head reads.
            targets: (M,).
            counts: (M,), which positions have a loss.
            loss: of scores and targets.
            rng: source of randomness for dropout and its like.
            scale: what gradients are multiplied by.
            backward: whether there are any.
            weights: (M,), what the loss of each position is multiplied by; 1 if left open.
            wanted: of which parameters, `head.0.` and so on.
            below: whether dh is wanted; else it means nothing.

        Returns:
            (loss, dh, gradients): those of each link of the chain; unless `backward`, dh means nothing and
            there are none.
        """
        dh, by_target = np.empty_like(h), self._by_target(loss, h.dtype)
        rows = HEAD_ROWS if by_target else self._rows(h.dtype)
        total: Scalar = h.dtype.type(0)
        sums = self._nothing(h.dtype, wanted) if backward and not 0 < len(h) <= rows else None
        head: list[Made] = sums or []
        terms = Terms(loss, targets, counts, scale, weights)
        for block in slices(len(h), rows):
            given = h[block], terms.at(block), rng
            value, back = (
                self._of_targets(*given)
                if by_target
                else self._of_scores(*given, backward=backward)
            )
            total = total + value
            if backward:
                dx, head = back(wanted, "head", input=below, sums=sums)
                if below:
                    dh[block] = dx
                del dx
            del back  # else the next block's caches would come on top of its own
        return total, dh, head

    def _nothing(self, dtype: DType, wanted: Wanted) -> list[Made]:
        """A gradient to add those of blocks to: arrays of our own, for a layer may keep what it returns."""

        def zeros(w: Array) -> Array:
            return np.zeros(w.shape, np.result_type(w, dtype))

        return [
            map_arrays(zeros, link.params) if wanted(f"head.{i}.") else None
            for i, link in enumerate(self.chain)
        ]

    def _of_scores(
        self, h: Array, terms: Terms, rng: Rng | None, *, backward: bool
    ) -> tuple[Scalar, Back]:
        """The loss of a block from the scores of all words, and the way back, if there is one.

        Gradients of scores take the place of these, where no layer needs them any more.
        """
        scores, caches = self.chain.forward(h, rng)
        dscores = scores if self.chain.sums or not backward else np.empty_like(scores)
        value = terms.of_scores(scores, dscores if backward else None)
        return value, partial(self.chain.backward, dscores, caches)

    def _of_targets(self, h: Array, terms: Terms, rng: Rng | None) -> tuple[Scalar, Back]:
        """The loss of a block from the log probabilities of its targets, and the way back."""
        log_probs, caches = self.chain.likelihood(h, terms.targets, rng)
        value, dlog_probs = terms.of_targets(log_probs)
        return value, partial(self.chain.likelihood_back, dlog_probs, caches)

    def _by_target(self, loss: Loss, dtype: DType) -> bool:
        """Whether the log probabilities of targets are had without the others, and the loss wants no more."""
        known = self.chain.likelihood_layer is not None
        return known and loss.of_target(np.zeros(1, dtype)) is not None

    def nats(self, h: Array, targets: Ints, counts: Mask) -> float:
        """The negative log likelihood of the targets that count."""
        total, known = 0.0, self.chain.likelihood_layer is not None
        for block in slices(len(h), HEAD_ROWS if known else self._rows(h.dtype)):
            if known:
                chosen, _ = self.chain.likelihood(h[block], targets[block], None)
            else:
                log_probs = log_softmax(self.scores(h[block]))
                chosen = np.take_along_axis(log_probs, targets[block, None], axis=1)[:, 0]
            total -= float(chosen[counts[block]].sum(dtype=np.float64))
        return total

    def scores(self, h: Array) -> Array:
        """The scores of all positions (M, V)."""
        return self.chain.forward(h, None)[0]

    def log_probs(self, h: Array) -> Array:
        """The log probabilities of all positions (M, V)."""
        scores = self.scores(h)
        if self.chain.likelihood_layer is not None:
            return scores  # they are that already
        log_probs = np.empty_like(scores)

        def normalize(part: slice) -> None:
            log_softmax(scores[part], out=log_probs[part])

        together([partial(normalize, part) for part in pieces(*scores.shape)])
        return log_probs

    def _rows(self, dtype: DType) -> int:
        """How many positions a block has."""
        return min(HEAD_ROWS, max(LEAST_HEAD_ROWS, HEAD_BYTES // (self.width * dtype.itemsize)))
