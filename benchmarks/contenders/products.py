"""The bare matrix products of a training step, or of captions: nothing that does them with this library can be faster.

Operands and results are allocated beforehand. In the products of a step all tokens are packed, so that padding costs
nothing; `distinct` projects each distinct word of the batch once, as rnnkit does, and `packed` every token. In those of
greedy captions, words are projected already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from benchmarks.contenders.rnnkit_decoding import greedy as captions
from benchmarks.task import END, NULL, Batch, Problem, Task
from rnnkit.kinds.arrays import Array, Ints
from rnnkit.system.blas import take
from rnnkit.system.process import threads

GATES = {"vanilla": 1, "gru": 3, "lstm": 4}
HEAD_ROWS = 512
"""Rows of scores at a time, so that they stay in the processor's cache."""


take(threads().cuts)  # NumPy's own way: every product on all threads


def distinct(task: Task) -> Callable[[int], None]:
    """The products that rnnkit's step does."""
    return _products(task.problem, [_Counts.of(batch) for batch in task.batches])


def packed(task: Task) -> Callable[[int], None]:
    """The products of a step that projects every token."""
    return packed_by(task, np.matmul, np.asarray)


def packed_by(
    task: Task, matmul: Callable[..., Any], made: Callable[[Array], Any]
) -> Callable[[int], None]:
    """The same by any library: its product, as NumPy's is called, of arrays that it makes of NumPy's."""
    counts = [_Counts.of(batch) for batch in task.batches]
    every = [attrs.evolve(c, projected=sum(c.live)) for c in counts]
    return _products(task.problem, every, matmul, made)


def greedy(task: Task) -> Callable[[int], None]:
    """The products of the words that rnnkit's greedy captions have, of those that have not ended."""
    p, rng, said = task.problem, np.random.default_rng(0), captions(task)
    G = GATES[p.cell] * p.hidden
    h, zh, scores = (rng.random((p.batch, n), np.float32) for n in (p.hidden, G, p.vocabulary))
    Wh, Wv = (rng.random((p.hidden, n), np.float32) for n in (G, p.vocabulary))
    live = [live_rows(said(i)) for i in range(len(task.batches))]

    def run(i: int) -> None:
        for n in live[i]:
            np.matmul(h[:n], Wh, out=zh[:n])
            np.matmul(h[:n], Wv, out=scores[:n])

    return run


def live_rows(tokens: Ints) -> list[int]:
    """How many captions of tokens (N, L) have not ended before each of their words."""
    goes_on = np.cumsum(tokens == END, axis=1) == 0
    return [len(tokens), *goes_on[:, :-1].sum(axis=0).tolist()]


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


def _products(
    p: Problem,
    counts: list[_Counts],
    matmul: Callable[..., Any] = np.matmul,
    made: Callable[[Array], Any] = np.asarray,
) -> Callable[[int], None]:
    rng = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> Any:
        return made(rng.standard_normal((rows, columns), np.float32))

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
        matmul(features, Wi, out=h0)
        matmul(x[:U], Wx, out=zx[:U])
        for n in live:
            matmul(h[:n], Wh, out=zh[:n])
        for begin in range(0, M, HEAD_ROWS):
            block = slice(begin, min(begin + HEAD_ROWS, M))
            n = block.stop - block.start
            matmul(h[block], Wv, out=scores[:n])
            matmul(dscores[:n], Wv.T, out=dh[block])
            matmul(h[block].T, dscores[:n], out=dWv)
        for n in reversed(live):
            matmul(dz[:n], Wh.T, out=dh_step[:n])
        matmul(h[:M].T, dz[:M], out=dWh)
        matmul(x[:U].T, dz[:U], out=dWx)
        matmul(dz[:U], Wx.T, out=dx[:U])
        matmul(features.T, h0, out=dWi)

    return run
