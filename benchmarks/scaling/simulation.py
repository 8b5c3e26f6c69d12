"""Batches of many rows dealt out to many ranks, by the function that training deals them out with."""

from __future__ import annotations

import numpy as np

from benchmarks.scaling.results import Shares
from rnnkit.kinds.arrays import Ints, Rng
from rnnkit.training.sharing import share

ROWS = 1 << 14
"""Captions that are dealt out for each number of ranks, unless one batch has more."""


def simulate(lengths: Ints, ranks: int, batch: int, rng: Rng) -> Shares:
    """Batches drawn from captions of these lengths.

    Args:
        lengths: (n,), tokens of a caption with its start.
        ranks: R.
        batch: N.
        rng: to draw from.
    """
    count = min(64, max(1, ROWS // batch))
    # A stable sort of short integers is many times as fast.
    drawn = rng.choice(lengths.astype(np.int16), (count, batch))
    return Shares(
        batch=batch,
        ranks=ranks,
        tokens=(drawn - 1).sum(axis=1, dtype=np.int64).tolist(),
        batches=[_candidates(row, ranks) for row in drawn],
    )


def _candidates(lengths: Ints, ranks: int) -> list[tuple[int, int]]:
    """(tokens, steps) of the ranks of which no other has more of both."""
    found = set()
    for rank in range(ranks):
        targets = lengths[share(lengths, rank, ranks)] - 1
        found.add((int(targets.sum(dtype=np.int64)), int(targets.max(initial=0))))
    most: list[tuple[int, int]] = []
    for tokens, steps in sorted(found, reverse=True):
        if not most or steps > most[-1][1]:
            most.append((tokens, steps))
    return most
