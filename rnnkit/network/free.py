"""A free-form cell over time: each step is the cell's own."""

from __future__ import annotations

from typing import Generic

import attrs
import numpy as np

from rnnkit.kinds import Array, Cell, DType, Ints, Rng, map_arrays
from rnnkit.network.packing import Packing
from rnnkit.network.recurrence import (
    C,
    P,
    Recurrence,
    S,
    every_state,
    rows_of,
    write,
    zero_gradients,
)
from rnnkit.numerics import sum_rows


@attrs.frozen
class FreeTape(Generic[C]):
    """What a free-form recurrence keeps of its forward pass: its inputs, and the cache of each step."""

    x: Array
    h0: Array
    rows: Ints | None
    caches: list[C]
    packing: Packing


@attrs.frozen(eq=False)
class FreeRecurrence(Recurrence[P, S, FreeTape[C]], Generic[P, S, C]):
    """A free-form `Cell` over time."""

    cell: Cell[P, S, C]
    params: P

    def with_params(self, params: P) -> FreeRecurrence[P, S, C]:
        return attrs.evolve(self, params=params)

    @staticmethod
    def init(
        cell: Cell[P, S, C], in_features: int, hidden: int, rng: Rng, dtype: DType
    ) -> FreeRecurrence[P, S, C]:
        """A recurrence with initial parameters."""
        return FreeRecurrence(cell, cell.init(in_features, hidden, rng, dtype))

    def forward(
        self, x: Array, h0: Array, packing: Packing, rows: Ints | None = None
    ) -> tuple[Array, FreeTape[C]]:
        n0, packed = len(h0), x if rows is None else x[rows]
        states = every_state(self.cell.start(h0), packing, x.dtype)
        h = states.h[: n0 + len(packed)]
        caches: list[C] = []
        for (begin, end), before in zip(packing.spans, packing.befores, strict=True):
            s = rows_of(states, slice(before, before + end - begin))
            new, cache = self.cell.step(self.params, packed[begin:end], s)
            map_arrays(write, rows_of(states, slice(n0 + begin, n0 + end)), new)
            caches.append(cache)
        return h[n0:], FreeTape(x, h0, rows, caches, packing)

    def backward(self, dh: Array, tape: FreeTape[C]) -> tuple[Array, Array, P]:
        ds, ds_prev = zero_gradients(self.cell.start(tape.h0))
        dp = map_arrays(np.zeros_like, self.params)
        dx: Array = np.empty((len(dh), tape.x.shape[1]), dh.dtype)
        for (begin, end), cache in zip(
            reversed(tape.packing.spans), reversed(tape.caches), strict=True
        ):
            live, span = slice(end - begin), slice(begin, end)
            ds.h[live] += dh[span]
            dx[span], new, step_dp = self.cell.step_back(self.params, rows_of(ds, live), cache)
            map_arrays(write, rows_of(ds_prev, live), new)
            dp = map_arrays(np.add, dp, step_dp)
            ds, ds_prev = ds_prev, ds
        distinct = dx if tape.rows is None else sum_rows(dx, tape.rows, len(tape.x))
        return distinct, self.cell.start_back(tape.h0, ds), dp

    def start(self, h0: Array) -> S:
        return self.cell.start(h0)

    def project(self, x: Array) -> Array:
        return x

    def advance(self, projected: Array, s: S) -> S:
        return self.cell.step(self.params, projected, s)[0]
