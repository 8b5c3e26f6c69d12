"""A free-form cell over time: each step is the cell's own."""

from __future__ import annotations

from typing import Any, Generic

import attrs
import numpy as np

from rnnkit.kinds import Array, Cell, DType, Ints, Rng, map_arrays
from rnnkit.network.packing import Packing
from rnnkit.network.recurrence import (
    MISFIT,
    C,
    P,
    Recurrence,
    S,
    Tape,
    every_state,
    need_fit_to,
    rows_of,
    state_gradients,
    stepped,
    write,
)
from rnnkit.network.shapes import need_like
from rnnkit.numerics import sum_rows
from rnnkit.registry.returned import array, like, pair, params


@attrs.frozen
class FreeTape(Tape[S], Generic[S, C]):
    """What a free-form recurrence keeps of its way forward."""

    caches: list[C]


@attrs.frozen(eq=False)
class FreeRecurrence(Recurrence[P, S, FreeTape[S, C]], Generic[P, S, C]):
    """A free-form `Cell` over time.

    Attributes:
        cell: the cell.
        params: its parameters.
        in_features: D that they are for.
        hidden: H that they are for.
    """

    cell: Cell[P, S, C]
    params: P = attrs.field(repr=False)
    in_features: int
    hidden: int

    def with_params(self, params: P) -> FreeRecurrence[P, S, C]:
        need_like("params", params, self.params, lambda: f"{self._sizes} has these")
        return attrs.evolve(self, params=params)

    @staticmethod
    def init(
        cell: Cell[P, S, C], in_features: int, hidden: int, rng: Rng, dtype: DType
    ) -> FreeRecurrence[P, S, C]:
        """A recurrence with initial parameters."""
        made = params(cell, cell.init(in_features, hidden, rng, dtype))
        return FreeRecurrence(cell, made, in_features, hidden)

    def _steps(
        self, x: Array, start: S, packing: Packing, rows: Ints | None, context: Array | None
    ) -> tuple[S, FreeTape[S, C]]:
        n0, packed = len(packing.order), x if rows is None else x[rows]
        dtype = x.dtype if context is None else np.result_type(x, context)
        states = every_state(start, packing, dtype)
        caches: list[C] = []
        for (begin, end), before in zip(packing.spans, packing.befores, strict=True):
            s = rows_of(states, slice(before, before + end - begin))
            read = _read(packed[begin:end], None if context is None else context[: end - begin])
            made = self.cell.step(self.params, read, s)
            try:
                new, cache = made
                map_arrays(write, rows_of(states, slice(n0 + begin, n0 + end)), new)
            except MISFIT:
                stepped(self.cell, made, s)
                raise
            caches.append(cache)
        return states, FreeTape(x, start, rows, context, packing, caches)

    def _steps_back(
        self, dh: Array, tape: FreeTape[S, C], dfinal: S | None, params: bool, input: bool
    ) -> tuple[Array, Array | None, S, P | None]:
        ds, ds_prev = state_gradients(tape.start, dfinal)
        dp = map_arrays(np.zeros_like, self.params)
        dx: Array = np.empty((len(dh), self.in_features), dh.dtype)
        for (begin, end), cache in zip(reversed(tape.packing.spans), tape.back(), strict=True):
            live, span = slice(end - begin), slice(begin, end)
            ds.h[live] += dh[span]
            mine = rows_of(ds, live)
            made = self.cell.step_back(self.params, mine, cache)
            try:
                step_dx, new, step_dp = made
                write(dx[span], step_dx)
                map_arrays(write, rows_of(ds_prev, live), new)
                map_arrays(need_fit_to, step_dp, dp)
            except MISFIT:
                self._blame_back(made, mine)
                raise
            dp = map_arrays(np.add, dp, step_dp)
            ds, ds_prev = ds_prev, ds
        dcontext = None
        if tape.context is not None:
            dx, each = np.split(dx, [tape.x.shape[1]], axis=1)
            dcontext = tape.packing.sum_steps(each)
        distinct = dx if tape.rows is None else sum_rows(dx, tape.rows, len(tape.x))
        return distinct, dcontext, ds, dp

    def _blame_back(self, made: Any, ds: S) -> None:
        """Tell what is wrong with what the cell's step back returned, if anything is."""
        dx, new, dp = pair(self.cell, "step_back", made, "(dx, ds_prev, dp)", 3)
        array(self.cell, "step_back", dx, (len(ds.h), self.in_features), "dx", ds.h.dtype)
        like(self.cell, "step_back", new, ds, "ds_prev")
        like(self.cell, "step_back", dp, self.params, "dp")

    def project(self, x: Array) -> Array:
        return x

    def project_context(self, context: Array) -> Array:
        return context

    def advance(self, projected: Array, s: S, context: Array | None = None) -> S:
        read = _read(projected, context)
        return stepped(self.cell, self.cell.step(self.params, read, s), s)[0]


def _read(x: Array, context: Array | None) -> Array:
    return x if context is None else np.concatenate([x, context], axis=1)
