"""Batches shared among ranks: which rows are whose, and what came of them all together."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np

from rnnkit.kinds import Array, DType, Ints
from rnnkit.parallel import Ranks


def share(lengths: Ints, rank: int, size: int) -> Ints:
    """Which rows of a batch are a rank's, in their order.

    Rows are dealt out from the longest to the shortest, forth and back: ranks get as many rows but for one,
    and as many tokens but for those of one row.

    Args:
        lengths: (N,), tokens of each row.
        rank: whose rows.
        size: number of ranks.
    """
    turn, at = np.divmod(np.arange(len(lengths)), size)
    owner = np.where(turn % 2, size - 1 - at, at)
    return np.sort(np.argsort(-lengths, kind="stable")[owner == rank])


@attrs.frozen(eq=False)
class Found:
    """What came of rows of a batch.

    Attributes:
        loss: summed over time and averaged over captions.
        gradients: of that, for each parameter.
        tokens: unmasked positions.
        captions: N.
    """

    loss: float
    gradients: Mapping[str, Array]
    tokens: int
    captions: int


class Reduction:
    """Takes what each rank found of its rows to what there is to find of the batch.

        loss = sum_r (N_r / N) loss_r,  and so its gradient

    All gradients and three numbers are in one flat buffer, which is summed over ranks once.
    """

    def __init__(self, ranks: Ranks, parameters: Mapping[str, Array], dtype: DType) -> None:
        """Make the buffer, unless this process is on its own."""
        self._ranks = ranks
        if ranks.size == 1:
            return
        ends = np.cumsum([w.size for w in parameters.values()])
        self._flat = np.zeros(ends[-1] + 3, dtype)
        parts = np.split(self._flat, ends)
        self._views = {
            name: part.reshape(w.shape)
            for (name, w), part in zip(parameters.items(), parts, strict=False)
        }

    def __call__(self, found: Found) -> Found:
        """Of the whole batch; the gradients are good until the next call."""
        if self._ranks.size == 1:
            return found
        n = self._flat.dtype.type(found.captions)
        for name, view in self._views.items():
            if found.captions:
                np.multiply(found.gradients[name], n, out=view)
            else:
                view.fill(0.0)
        self._flat[-3:] = found.loss * found.captions, found.tokens, found.captions
        self._ranks.sum(self._flat)
        loss, tokens, captions = self._flat[-3:].tolist()
        self._flat[:-3] /= captions
        return Found(loss / captions, self._views, round(tokens), round(captions))
