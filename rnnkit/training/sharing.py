"""Batches shared among ranks: which rows are whose."""

from __future__ import annotations

import numpy as np

from rnnkit.kinds import Ints


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
