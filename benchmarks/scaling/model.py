"""What an update of R ranks takes, as a sum of its parts.

    step(R, N) = compute(slowest rank's rows) + copy(P) + reduce(P, R) + update(P / R)

or the time to read the rows of a node, which goes on in the background, if that is longer. P is the number of
parameters, N the rows of a batch. One rank neither copies nor reduces. No part is taken to overlap with another.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import attrs

FLOAT = 4
"""Bytes of a parameter."""

SMALL_SUMS = 3
"""Messages a doubling of ranks that an update's sums of a few numbers are taken to be."""

Batches: TypeAlias = Sequence[Sequence[tuple[int, int]]]
"""For each batch, (tokens, steps) of the ranks that may be the slowest."""


@attrs.frozen
class Work:
    """Seconds of a gradient with one thread: those of any, of a token, and of a time step."""

    fixed: float
    token: float
    step: float

    def seconds(self, tokens: float, steps: float) -> float:
        """Of a batch with so many tokens, the longest row of which has so many steps."""
        return self.fixed + self.token * tokens + self.step * steps


@attrs.frozen
class Link:
    """What two processes reach each other through: seconds a message, and bytes a second."""

    latency: float
    bandwidth: float

    def seconds(self, messages: float, sent: float) -> float:
        """Of so many messages, one after the other, with so many bytes in all."""
        return self.latency * messages + sent / self.bandwidth


@attrs.frozen
class Cluster:
    """Ranks on nodes.

    Attributes:
        name: for tables.
        within: between ranks of a node; each has this bandwidth, whatever their number.
        between: between nodes; all ranks of a node share it.
        node: ranks on a node, at most.
        by_node: whether the ranks of a node sum among themselves before anything leaves it; else each rank sends
            to every other.
    """

    name: str
    within: Link
    between: Link
    node: int = 64
    by_node: bool = False

    def reduce(self, size: float, ranks: int) -> float:
        """Seconds of a reduce-scatter and an all-gather of a buffer of `size` bytes, and of the small sums.

        With r of the R ranks on each of R / r nodes, by node:

            within a node   2 log2 r messages,        2 (r - 1) / r size
            between nodes   2 log2 (R / r) messages,  2 (R - r) / R size through the node's card

        Otherwise a rank sends R - 1 messages for the sum, and gets as many around a ring for the rest:

            within a node   (r - 1) / R size, and the ring's (R - 1) / R size
            between nodes   r (R - r) / R size through the node's card, and the ring's (R - 1) / R size
        """
        if ranks == 1:
            return 0.0
        r = min(ranks, self.node)
        alone, outer = r == ranks, self.within if r == ranks else self.between
        small = SMALL_SUMS * (
            self.within.latency * math.log2(r) + self.between.latency * math.log2(ranks / r)
        )
        if self.by_node:
            inside = self.within.seconds(2 * math.log2(r), 2 * (r - 1) / r * size)
            outside = self.between.seconds(2 * math.log2(ranks / r), 2 * (ranks - r) / ranks * size)
            return inside + outside + small
        ring = (ranks - 1) / ranks * size
        inside = self.within.seconds(0, (r - 1) / ranks * size)
        outside = 0.0 if alone else self.between.seconds(0, r * (ranks - r) / ranks * size)
        return inside + outside + outer.seconds(2 * (ranks - 1), ring) + small


@attrs.frozen
class Speeds:
    """A machine's: seconds to update an element, to copy one, and bytes that a node reads in a second."""

    update: float
    copy: float
    read: float


@attrs.frozen
class Task:
    """A network, and the data it is trained on.

    Attributes:
        name: for tables.
        captions: of an epoch.
        parameters: P.
        row: bytes of an image's features.
        work: of its gradient.
    """

    name: str
    captions: int
    parameters: int
    row: int
    work: Work


@attrs.frozen
class Step:
    """Seconds of an update, by part; `read` goes on beside the others."""

    compute: float
    copy: float
    reduce: float
    update: float
    read: float

    @property
    def seconds(self) -> float:
        """Of the whole."""
        return max(self.compute + self.copy + self.reduce + self.update, self.read)


def step(
    task: Task, speeds: Speeds, cluster: Cluster, ranks: int, batch: int, batches: Batches
) -> Step:
    """An update by R ranks, the mean over batches of N rows that were dealt out to them."""
    several = ranks > 1
    rows = batch * min(ranks, cluster.node) / ranks
    return Step(
        compute=statistics.fmean(slowest(task.work, shares) for shares in batches),
        copy=speeds.copy * task.parameters * several,
        reduce=cluster.reduce(FLOAT * task.parameters, ranks),
        update=speeds.update * task.parameters / ranks,
        read=rows * task.row / speeds.read,
    )


def slowest(work: Work, shares: Iterable[tuple[int, int]]) -> float:
    """Seconds of the rank that the others wait for."""
    return max(work.seconds(tokens, steps) for tokens, steps in shares)


def epoch(task: Task, batch: int, seconds: float) -> float:
    """Seconds of an epoch, from those of an update."""
    return task.captions / batch * seconds


def efficiency(alone: float, ranks: int, together: float) -> float:
    """Seconds of one rank's epoch / (R x those of R ranks)."""
    return alone / (ranks * together)


PARTS = {
    "compute": "the fixed cost of a gradient",
    "copy": "copying gradients into the buffer",
    "reduce": "the reduction",
    "update": "the update",
    "read": "reading",
}
"""What the parts of a step are called as a reason."""


def limit(alone: Step, rows: float, ranks: int, together: Step) -> str:
    """The part of a step that costs the most efficiency: whose R-fold is the furthest above one rank's.

    Args:
        alone: one rank's update.
        rows: how many of such updates have the rows of one of `together`'s.
        ranks: R.
        together: the update of R ranks.
    """
    if together.seconds == together.read:
        return "read"
    return max(
        ("compute", "copy", "reduce", "update"),
        key=lambda part: ranks * getattr(together, part) - rows * getattr(alone, part),
    )
