"""A gated cell over time: every product that can be one product for all steps is one.

`x Wx` comes before the loop over steps; `dWx`, `dWh`, `db` and `dx` after it.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Generic

import attrs
import numpy as np

from rnnkit.errors import ShapeError
from rnnkit.kinds import (
    Array,
    DType,
    GatedCell,
    Initializer,
    Ints,
    Params,
    Rng,
    map_arrays,
    weights,
)
from rnnkit.network.packing import Packing
from rnnkit.network.recurrence import (
    BLOCK,
    MISFIT,
    C,
    P,
    Recurrence,
    S,
    Tape,
    every_state,
    need_fit,
    need_fit_to,
    rows_of,
    state_gradients,
    stepped,
    write,
)
from rnnkit.network.shapes import cell_name, gate_shape, need_floating, need_like
from rnnkit.numerics import product, sum_rows
from rnnkit.registry.returned import array, finite, like, pair, params
from rnnkit.system.process import pieces, together


@attrs.frozen
class GatedParams(Params, Generic[P]):
    """Parameters of a gated recurrence.

    Attributes:
        Wx: (D, Gx H), a column block for each x-gate.
        Wh: (H, Gh H), a column block for each h-gate.
        b: (Gx H,).
        cell: the cell's own.
    """

    Wx: Array
    Wh: Array
    b: Array
    cell: P


@attrs.frozen
class GatedTape(Tape[S], Generic[S, C]):
    """What a gated recurrence keeps of its way forward.

    Attributes:
        caches: of each step, in pieces by rows.
        h: (n + M, H), the initial rows, then every step's outputs.
    """

    caches: list[list[tuple[slice, C]]]
    h: Array


@attrs.frozen(eq=False)
class GatedRecurrence(Recurrence[GatedParams[P], S, GatedTape[S, C]], Generic[P, S, C]):
    """A `GatedCell` over time.

    Attributes:
        cell: the cell.
        params: its parameters and the engine's.

    Raises:
        ShapeError: a weight does not have the columns of the cell's gates.
    """

    cell: GatedCell[P, S, C]
    params: GatedParams[P] = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        p, H = self.params, len(self.params.Wh)
        x_gates, h_gates = self.cell.x_gates, self.cell.h_gates
        for name, w, rows, gates, shape in (
            ("Wh", p.Wh, "H", h_gates, (H, len(h_gates) * H)),
            ("Wx", p.Wx, "D", x_gates, (len(p.Wx), len(x_gates) * H)),
            ("b", p.b, "", x_gates, (len(x_gates) * H,)),
        ):
            if w.shape != shape:
                kind = "gates" if x_gates == h_gates else "h-gates" if name == "Wh" else "x-gates"
                raise ShapeError(
                    f"{name} is {w.shape}, and {cell_name(self.cell)} has the {kind} "
                    f"{' '.join(gates) or '(none)'}: {gate_shape(rows, gates)}, where H = {H}, "
                    "the rows of Wh"
                )
            need_floating(name, w)

    @property
    def in_features(self) -> int:
        return len(self.params.Wx)

    @property
    def hidden(self) -> int:
        return len(self.params.Wh)

    def with_params(self, params: GatedParams[P]) -> GatedRecurrence[P, S, C]:
        need_like("params", params, self.params, lambda: f"{self._sizes} has these")
        return attrs.evolve(self, params=params)

    @staticmethod
    def init(
        cell: GatedCell[P, S, C],
        in_features: int,
        hidden: int,
        input_weights: Initializer | None,
        recurrent_weights: Initializer | None,
        rng: Rng,
        dtype: DType,
    ) -> GatedRecurrence[P, S, C]:
        """A recurrence with initial parameters; weights are filled gate by gate, see `weights`."""

        def blocks(init: Initializer | None, rows: int, gates: tuple[str, ...]) -> Array:
            filled = [weights(init, rows, hidden, rng, dtype) for _ in gates]
            if init is not None:
                for w in filled:
                    array(init, "fill", w, (rows, hidden), "weights", dtype)
            return np.concatenate([np.empty((rows, 0), dtype), *filled], axis=1)

        return GatedRecurrence(
            cell,
            GatedParams(
                Wx=blocks(input_weights, in_features, cell.x_gates),
                Wh=blocks(recurrent_weights, hidden, cell.h_gates),
                b=np.repeat(
                    np.array([finite(cell, "bias", cell.bias(g)) for g in cell.x_gates], dtype),
                    hidden,
                ),
                cell=params(cell, cell.init(hidden, rng, dtype)),
            ),
        )

    def _steps(
        self, x: Array, start: S, packing: Packing, rows: Ints | None, context: Array | None
    ) -> tuple[S, GatedTape[S, C]]:
        p, n0 = self.params, len(packing.order)
        zx, zc = self.project(x), None
        if context is not None:
            zc = self.project_context(context)
            zx = zx.astype(np.result_type(zx, zc), copy=False)
        states = every_state(start, packing, zx.dtype)
        caches: list[list[tuple[slice, C]]] = []
        for (begin, end), before in zip(packing.spans, packing.befores, strict=True):
            s = rows_of(states, slice(before, before + end - begin))
            s_next = rows_of(states, slice(n0 + begin, n0 + end))
            wide = before + _rounded(end - begin)
            states.h[n0 + begin : wide] = 0.0
            zh = product(states.h[before:wide], p.Wh)
            step = partial(
                self._step,
                zx=zx[begin:end] if rows is None else zx,
                rows=None if rows is None else rows[begin:end],
                zc=zc,
                zh=zh[: end - begin],
                s=s,
                s_next=s_next,
            )
            parts = pieces(end - begin, zx.shape[1])
            caches.append(together([partial(step, part) for part in parts]))
        h = states.h[: n0 + len(packing.rows)]
        return states, GatedTape(x, start, rows, context, packing, caches, h)

    def _step(
        self,
        part: slice,
        zx: Array,
        rows: Ints | None,
        zc: Array | None,
        zh: Array,
        s: S,
        s_next: S,
    ) -> tuple[slice, C]:
        """A part of one step's rows, written to s_next; the part with its cache."""
        mine = zx[part] if rows is None else zx[rows[part]]
        if zc is not None:
            mine += zc[part]
        before = rows_of(s, part)
        made = self.cell.step(self.params.cell, mine, zh[part], before)
        try:
            new, cache = made
            map_arrays(write, rows_of(s_next, part), new)
        except MISFIT:
            stepped(self.cell, made, before)
            raise
        return part, cache

    def _steps_back(
        self, dh: Array, tape: GatedTape[S, C], dfinal: S | None, params: bool, input: bool
    ) -> tuple[Array, Array | None, S, GatedParams[P] | None]:
        p, packing, M = self.params, tape.packing, len(dh)
        dzx, dzh, ds, dcell = self._gates_back(dh, tape, dfinal)
        if not params and not input:
            return dzx[:M], None, ds, None
        dWh = product(tape.h[packing.previous].T, dzh[:M]) if params else p.Wh
        del dzh
        dzc = None if tape.context is None else packing.sum_steps(dzx[:M])
        distinct = dzx[:M] if tape.rows is None else sum_rows(dzx[:M], tape.rows, len(tape.x))
        del dzx
        D = tape.x.shape[1]
        dx = product(distinct, p.Wx[:D].T) if input else distinct
        dcontext = product(dzc, p.Wx[D:].T) if input and dzc is not None else dzc
        if not params:
            return dx, dcontext, ds, None
        dWx = product(tape.x.T, distinct)
        if tape.context is not None and dzc is not None:
            dWx = np.concatenate([dWx, product(tape.context.T, dzc)])
        grads = GatedParams(Wx=dWx, Wh=dWh, b=distinct.sum(axis=0), cell=dcell)
        return dx, dcontext, ds, grads

    def _gates_back(
        self, dh: Array, tape: GatedTape[S, C], dfinal: S | None
    ) -> tuple[Array, Array, S, P]:
        """The gradients dzx and dzh with rows behind the M, that of the tape's start, and dp of the cell."""
        p, packing, M = self.params, tape.packing, len(dh)
        ds, ds_prev = state_gradients(tape.start, dfinal)
        dzx = _room(M, p.Wx.shape[1], dh.dtype)
        dzh = dzx  # its own array only if the cell makes it another one
        dcell = map_arrays(np.zeros_like, p.cell)
        for (begin, end), caches in zip(reversed(packing.spans), tape.back(), strict=True):
            live, span = slice(end - begin), slice(begin, end)
            ds.h[live] += dh[span]
            step_back = partial(
                self._step_back, ds=rows_of(ds, live), ds_prev=rows_of(ds_prev, live), dzx=dzx[span]
            )
            for (part, _), (part_dzh, dp) in zip(
                caches, together([partial(step_back, *c) for c in caches]), strict=True
            ):
                if part_dzh is not None and dzh is dzx:
                    dzh = _room(M, p.Wh.shape[1], dh.dtype)
                    if dzh.shape == dzx.shape:
                        dzh[begin:] = dzx[begin:]
                if dzh is not dzx:
                    dzh[span][part] = dzx[span][part] if part_dzh is None else part_dzh
                dcell = map_arrays(np.add, dcell, dp)
            # Wh as the left factor: OpenBLAS takes up to 1.5 times as long for dzh @ Wh.T.
            path = product(p.Wh, dzh[begin : begin + _rounded(end - begin)].T)
            ds_prev.h[live] += path.T[live]
            ds, ds_prev = ds_prev, ds
        return dzx, dzh, ds, dcell

    def _step_back(
        self, part: slice, cache: C, ds: S, ds_prev: S, dzx: Array
    ) -> tuple[Array | None, P]:
        """A part of one step's rows back, written to ds_prev and dzx; dzh, unless it is dzx, and dp."""
        p, mine = self.params.cell, rows_of(ds, part)
        made = self.cell.step_back(p, mine, cache)
        try:
            part_dzx, part_dzh, new, dp = made
            write(dzx[part], part_dzx)
            need_fit(part_dzh, (len(part_dzx), self.params.Wh.shape[1]), dzx.dtype)
            map_arrays(write, rows_of(ds_prev, part), new)
            map_arrays(need_fit_to, dp, p)
        except MISFIT:
            self._blame_back(made, mine)
            raise
        return None if part_dzh is part_dzx else part_dzh, dp

    def _blame_back(self, made: Any, ds: S) -> None:
        """Tell what is wrong with what the cell's step back returned, if anything is."""
        cell, p, rows = self.cell, self.params, len(ds.h)
        dzx, dzh, new, dp = pair(cell, "step_back", made, "(dzx, dzh, ds_prev, dp)", 4)
        array(cell, "step_back", dzx, (rows, p.Wx.shape[1]), "dzx", ds.h.dtype)
        array(cell, "step_back", dzh, (rows, p.Wh.shape[1]), "dzh", ds.h.dtype)
        like(cell, "step_back", new, ds, "ds_prev")
        like(cell, "step_back", dp, p.cell, "dp")

    def project(self, x: Array) -> Array:
        zx = product(x, self.params.Wx[: x.shape[1]])
        zx += self.params.b
        return zx

    def project_context(self, context: Array) -> Array:
        return product(context, self.params.Wx[self.in_features - context.shape[1] :])

    def advance(self, projected: Array, s: S, context: Array | None = None) -> S:
        if context is not None:
            projected += context
        zh = product(s.h, self.params.Wh)
        parts = pieces(len(zh), zh.shape[1])
        if len(parts) < 2:
            return self._advanced(projected, zh, s)
        made = [
            partial(self._advanced, projected[part], zh[part], rows_of(s, part)) for part in parts
        ]
        return map_arrays(lambda *a: np.concatenate(a), *together(made))

    def _advanced(self, zx: Array, zh: Array, s: S) -> S:
        return stepped(self.cell, self.cell.step(self.params.cell, zx, zh, s), s)[0]


def _room(rows: int, width: int, dtype: DType) -> Array:
    """An array to be filled, with a block of zeros behind it."""
    made = np.empty((rows + BLOCK, width), dtype)
    made[rows:] = 0.0
    return made


def _rounded(rows: int) -> int:
    """As many rows or a few more, for a product that is faster for it though some of it is thrown away."""
    over = rows % BLOCK
    return rows if over < 2 else rows - over + BLOCK
