"""The head and the loss of its scores, a block of positions at a time, so that (M, V) scores never exist at once."""

from __future__ import annotations

import itertools
from functools import partial

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Ints, Loss, Mask, Rng, Scalar, map_arrays
from rnnkit.network.chain import Chain
from rnnkit.network.parts import Made, Wanted, everything
from rnnkit.numerics import log_softmax
from rnnkit.registry.returned import array, pair
from rnnkit.system.process import pieces, together

HEAD_ROWS = 1024
"""Positions that go through the head at once: their scores (1024, V) are the only ones in memory."""

HEAD_BYTES = 32 << 20
"""Bytes of scores that should do: of a large vocabulary, fewer positions go through the head at once."""

LEAST_HEAD_ROWS = 128
"""But not fewer than this: every block's share of the head's gradient is added to the sum over blocks."""

LOSS_SIZE = 1 << 17
"""Scores that go through the loss at once: what it computes on the way stays in the processor's cache."""


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
        dh, rows = np.empty_like(h), self._rows(h.dtype)
        dscores = np.empty((min(rows, len(h)), self.width), h.dtype)
        total: Scalar = h.dtype.type(0)
        head: list[Made] = []
        for block in _slices(len(h), rows):
            scores, caches = self.chain.forward(h[block], rng)
            dblock = dscores[: len(scores)] if backward else None
            of_block = None if weights is None else weights[block]
            total = total + _loss(
                loss, scores, targets[block], counts[block], of_block, scale, dblock
            )
            if dblock is not None:
                dx, grads = self.chain.backward(dblock, caches, wanted, "head", input=below)
                if below:
                    dh[block] = dx
                if head:
                    head = list(map(_add, head, grads))
                elif len(h) > rows:  # sums are arrays of our own: a layer may keep what it returns
                    head = [None if grad is None else map_arrays(np.copy, grad) for grad in grads]
                else:
                    head = grads
                del dx, grads
            del scores, caches  # else the next block's would come on top of them
        if backward and not head:  # no position has a loss
            head = [map_arrays(np.zeros_like, link.params) for link in self.chain]
        return total, dh, head

    def nats(self, h: Array, targets: Ints, counts: Mask) -> float:
        """The negative log likelihood of the targets that count."""
        total = 0.0
        for block in _slices(len(h), self._rows(h.dtype)):
            scores, _ = self.chain.forward(h[block], None)
            chosen = np.take_along_axis(log_softmax(scores), targets[block, None], axis=1)[:, 0]
            total -= float(chosen[counts[block]].sum(dtype=np.float64))
        return total

    def scores(self, h: Array) -> Array:
        """The scores of all positions (M, V)."""
        return self.chain.forward(h, None)[0]

    def log_probs(self, h: Array) -> Array:
        """The log probabilities of all positions (M, V)."""
        scores = self.scores(h)
        log_probs = np.empty_like(scores)

        def normalize(part: slice) -> None:
            log_softmax(scores[part], out=log_probs[part])

        together([partial(normalize, part) for part in pieces(*scores.shape)])
        return log_probs

    def _rows(self, dtype: DType) -> int:
        """How many positions a block has."""
        return min(HEAD_ROWS, max(LEAST_HEAD_ROWS, HEAD_BYTES // (self.width * dtype.itemsize)))


def _loss(
    loss: Loss,
    scores: Array,
    targets: Ints,
    mask: Mask,
    weights: Array | None,
    scale: float,
    dscores: Array | None,
) -> Scalar:
    """The sum of the loss over positions (M,), its gradient times `scale` written to dscores."""
    rows = max(1, LOSS_SIZE // scores.shape[1])
    blocks = _slices(len(scores), rows)

    def losses(mine: slice) -> list[Scalar]:
        found = []
        for block in blocks[mine]:
            given = scores[block], targets[block], mask[block]
            method, made = (
                ("evaluate", loss.evaluate(*given))
                if weights is None
                else ("weighted", loss.weighted(*given, weights[block]))
            )
            value, gradient = pair(loss, method, made, "(loss, dscores)")
            found.append(array(loss, method, np.asarray(value), (), "the loss")[()])
            array(loss, method, gradient, scores[block].shape, "dscores")
            if dscores is not None:
                np.multiply(gradient, scale, out=dscores[block])
        return found

    shares = pieces(len(blocks), rows * scores.shape[1])
    found = together([partial(losses, share) for share in shares])
    return sum(itertools.chain(*found), start=scores.dtype.type(0))


def _add(sums: Made, grads: Made) -> Made:
    if sums is None or grads is None:
        return None
    return map_arrays(lambda a, b: np.add(a, b, out=a), sums, grads)


def _slices(rows: int, size: int) -> list[slice]:
    return [slice(i, i + size) for i in range(0, rows, size)]
