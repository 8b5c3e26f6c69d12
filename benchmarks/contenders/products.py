"""The bare matrix products of a training step: nothing that does them with this library can be faster.

Operands and results are allocated beforehand. In these products all tokens are packed, so that padding costs
nothing; `distinct` projects each distinct word of the batch once, as rnnkit does, and `packed` every token.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np

from benchmarks.task import NULL, Batch, Problem, Task
from rnnkit.kinds.arrays import Array
from rnnkit.system.blas import take
from rnnkit.system.process import threads

GATES = {"vanilla": 1, "gru": 3, "lstm": 4}
HEAD_ROWS = 512
"""Rows of scores at a time, so that they stay in the processor's cache."""


take(threads().cuts)  # NumPy's own way: every product on all threads


def distinct(task: Task) -> Callable[[int], None]:
    """The products that rnnkit's step does."""
    counts = [_Counts.of(batch) for batch in task.batches]
    return _products(task.problem, counts)


def packed(task: Task) -> Callable[[int], None]:
    """The products of a step that projects every token."""
    counts = [_Counts.of(batch) for batch in task.batches]
    return _products(task.problem, [attrs.evolve(c, projected=sum(c.live)) for c in counts])


@attrs.frozen
class _Counts:
    """How many rows the products of a batch have.

    Attributes:
        live: at each time step, the captions that have not ended.
        projected: word vectors that are multiplied by Wx.
    """

    live: list[int]
    projected: int

    @staticmethod
    def of(batch: Batch) -> _Counts:
        mask = batch.captions[:, 1:] != NULL
        words = np.unique(batch.captions[:, :-1][mask])
        return _Counts([n for n in mask.sum(axis=0).tolist() if n], len(words))


def _products(p: Problem, counts: list[_Counts]) -> Callable[[int], None]:
    rng = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> Array:
        return rng.standard_normal((rows, columns), np.float32)

    N, H, G = p.batch, p.hidden, GATES[p.cell] * p.hidden
    tokens, projected = max(sum(c.live) for c in counts), max(c.projected for c in counts)
    features, Wi, h0, dWi = (
        matrix(N, p.features),
        matrix(p.features, H),
        matrix(N, H),
        matrix(p.features, H),
    )
    x, Wx, dWx, dx = (
        matrix(projected, p.width),
        matrix(p.width, G),
        matrix(p.width, G),
        matrix(projected, p.width),
    )
    zx, h, dh, dz = matrix(projected, G), matrix(tokens, H), matrix(tokens, H), matrix(tokens, G)
    Wh, dWh, Wv, dWv = matrix(H, G), matrix(H, G), matrix(H, p.vocabulary), matrix(H, p.vocabulary)
    scores, dscores = matrix(HEAD_ROWS, p.vocabulary), matrix(HEAD_ROWS, p.vocabulary)
    zh, dh_step = matrix(N, G), matrix(N, H)

    def run(i: int) -> None:
        live, U, M = counts[i].live, counts[i].projected, sum(counts[i].live)
        np.matmul(features, Wi, out=h0)
        np.matmul(x[:U], Wx, out=zx[:U])
        for n in live:
            np.matmul(h[:n], Wh, out=zh[:n])
        for begin in range(0, M, HEAD_ROWS):
            block = slice(begin, min(begin + HEAD_ROWS, M))
            n = block.stop - block.start
            np.matmul(h[block], Wv, out=scores[:n])
            np.matmul(dscores[:n], Wv.T, out=dh[block])
            np.matmul(h[block].T, dscores[:n], out=dWv)
        for n in reversed(live):
            np.matmul(dz[:n], Wh.T, out=dh_step[:n])
        np.matmul(h[:M].T, dz[:M], out=dWh)
        np.matmul(x[:U].T, dz[:U], out=dWx)
        np.matmul(dz[:U], Wx.T, out=dx[:U])
        np.matmul(features.T, h0, out=dWi)

    return run
