"""Sequences over a cell: time, packing, initial states and their gradients, written once for all cells.

A recurrence holds one cell and its parameters. Everything it takes and gives is packed (see `Packing`), so a
cell only ever sees live rows. For a gated cell every product that can be one product for all steps is one:
`x Wx` before the loop; `dWx`, `dWh`, `db` and `dx` after it.
"""

from __future__ import annotations

import abc
from typing import Generic, TypeVar

import attrs
import numpy as np

from rnnkit.kinds import (
    Array,
    Cell,
    DType,
    GatedCell,
    Initializer,
    Ints,
    Params,
    Rng,
    State,
    map_arrays,
)
from rnnkit.numerics import sum_rows
from rnnkit.packing import Packing

P = TypeVar("P", bound=Params)
S = TypeVar("S", bound=State)
C = TypeVar("C")
Q = TypeVar("Q", bound=Params)
"""Parameters of a recurrence: the cell's own for a free-form cell, `GatedParams` around them else."""
Tape = TypeVar("Tape")


class Recurrence(abc.ABC, Generic[Q, S, Tape]):
    """One recurrent layer: a cell and its parameters."""

    @property
    @abc.abstractmethod
    def params(self) -> Q:
        """The parameters, which optimizers change in place."""

    @abc.abstractmethod
    def forward(
        self, x: Array, h0: Array, packing: Packing, rows: Ints | None = None
    ) -> tuple[Array, Tape]:
        """Run over packed sequences.

        Args:
            x: (M, D) packed inputs; or, with `rows`, (U, D) the distinct ones among them.
            h0: (n, H) initial output slots of the rows with a step at least, in packed order.
            packing: of the inputs.
            rows: (M,) where each packed input stands in x, if x has the distinct ones only. Words come
                again and again, so projecting each word once saves work.

        Returns:
            (h, tape): the packed outputs (M, H), and what `backward` needs.
        """

    @abc.abstractmethod
    def backward(self, dh: Array, tape: Tape) -> tuple[Array, Array, Q]:
        """The gradients (dx shaped like x, dh0 (n, H), dparams) from dh (M, H)."""

    @abc.abstractmethod
    def with_params(self, params: Q) -> Recurrence[Q, S, Tape]:
        """The same cell with other parameters."""

    @abc.abstractmethod
    def advance(self, x: Array, s: S) -> S:
        """One step of all rows, x (n, D): for decoding."""

    @abc.abstractmethod
    def start(self, h0: Array) -> S:
        """The state before the first step, from h0 (n, H)."""


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
class GatedTape(Generic[C]):
    """What a gated recurrence keeps of its forward pass.

    Attributes:
        x: as given to the forward pass, and `rows` and `packing` with it.
        h: (n + M, H), the initial rows, then every step's outputs.
        caches: of each step.
    """

    x: Array
    rows: Ints | None
    h: Array
    caches: list[C]
    packing: Packing


@attrs.frozen(eq=False)
class GatedRecurrence(Recurrence[GatedParams[P], S, GatedTape[C]], Generic[P, S, C]):
    """A `GatedCell` over time."""

    cell: GatedCell[P, S, C]
    params: GatedParams[P]

    def with_params(self, params: GatedParams[P]) -> GatedRecurrence[P, S, C]:
        return attrs.evolve(self, params=params)

    @staticmethod
    def init(
        cell: GatedCell[P, S, C],
        in_features: int,
        hidden: int,
        input_weights: Initializer,
        recurrent_weights: Initializer,
        rng: Rng,
        dtype: DType,
    ) -> GatedRecurrence[P, S, C]:
        """A recurrence with initial parameters; weights are filled gate by gate."""

        def blocks(init: Initializer, rows: int, gates: tuple[str, ...]) -> Array:
            filled = [init.fill((rows, hidden), rows, hidden, rng, dtype) for _ in gates]
            return np.concatenate([np.empty((rows, 0), dtype), *filled], axis=1)

        return GatedRecurrence(
            cell,
            GatedParams(
                Wx=blocks(input_weights, in_features, cell.x_gates),
                Wh=blocks(recurrent_weights, hidden, cell.h_gates),
                b=np.repeat(np.array([cell.bias(g) for g in cell.x_gates], dtype), hidden),
                cell=cell.init(hidden, rng, dtype),
            ),
        )

    def forward(
        self, x: Array, h0: Array, packing: Packing, rows: Ints | None = None
    ) -> tuple[Array, GatedTape[C]]:
        p, n0 = self.params, len(h0)
        zx = x @ p.Wx
        zx += p.b
        if rows is not None:
            zx = zx[rows]
        h = np.empty((n0 + len(zx), h0.shape[1]), np.result_type(zx, h0))
        h[:n0] = h0
        s = self.cell.start(h[:n0])
        caches: list[C] = []
        for begin, end in packing.spans:
            s = _first_rows(s, end - begin)
            s, cache = self.cell.step(p.cell, zx[begin:end], s.h @ p.Wh, s)
            h[n0 + begin : n0 + end] = s.h
            caches.append(cache)
        return h[n0:], GatedTape(x, rows, h, caches, packing)

    def backward(self, dh: Array, tape: GatedTape[C]) -> tuple[Array, Array, GatedParams[P]]:
        p = self.params
        ds = map_arrays(np.zeros_like, self.cell.start(tape.h[:0].astype(dh.dtype)))
        dzx = np.empty((len(dh), p.Wx.shape[1]), dh.dtype)
        dzh: Array | None = None  # its own array only if the cell makes it another one than dzx
        dcell = map_arrays(np.zeros_like, p.cell)
        for (begin, end), cache in zip(
            reversed(tape.packing.spans), reversed(tape.caches), strict=True
        ):
            ds = _add_output(_with_rows(ds, end - begin), dh[begin:end])
            step_zx, step_zh, ds, step_dcell = self.cell.step_back(p.cell, ds, cache)
            dzx[begin:end] = step_zx
            if step_zh is not step_zx and dzh is None:
                dzh = np.empty((len(dh), p.Wh.shape[1]), dh.dtype)
                dzh[end:] = dzx[end:]
            if dzh is not None:
                dzh[begin:end] = step_zh
            ds = _add_output(ds, step_zh @ p.Wh.T)
            dcell = map_arrays(np.add, dcell, step_dcell)
        dWh = tape.h[tape.packing.previous].T @ (dzx if dzh is None else dzh)
        if tape.rows is not None:
            dzx = sum_rows(dzx, tape.rows, len(tape.x))
        grads = GatedParams(Wx=tape.x.T @ dzx, Wh=dWh, b=dzx.sum(axis=0), cell=dcell)
        return dzx @ p.Wx.T, ds.h, grads

    def start(self, h0: Array) -> S:
        return self.cell.start(h0)

    def advance(self, x: Array, s: S) -> S:
        p = self.params
        return self.cell.step(p.cell, x @ p.Wx + p.b, s.h @ p.Wh, s)[0]


@attrs.frozen
class FreeTape(Generic[C]):
    """What a free-form recurrence keeps of its forward pass: its inputs, and the cache of each step."""

    x: Array
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
        s, packed = self.cell.start(h0), x if rows is None else x[rows]
        h = np.empty((len(packed), h0.shape[1]), np.result_type(x, h0))
        caches: list[C] = []
        for begin, end in packing.spans:
            s, cache = self.cell.step(self.params, packed[begin:end], _first_rows(s, end - begin))
            h[begin:end] = s.h
            caches.append(cache)
        return h, FreeTape(x, rows, caches, packing)

    def backward(self, dh: Array, tape: FreeTape[C]) -> tuple[Array, Array, P]:
        ds = map_arrays(np.zeros_like, self.cell.start(dh[:0]))
        dp = map_arrays(np.zeros_like, self.params)
        dx: Array = np.empty((len(dh), tape.x.shape[1]), dh.dtype)
        for (begin, end), cache in zip(
            reversed(tape.packing.spans), reversed(tape.caches), strict=True
        ):
            ds = _add_output(_with_rows(ds, end - begin), dh[begin:end])
            dx[begin:end], ds, step_dp = self.cell.step_back(self.params, ds, cache)
            dp = map_arrays(np.add, dp, step_dp)
        return dx if tape.rows is None else sum_rows(dx, tape.rows, len(tape.x)), ds.h, dp

    def start(self, h0: Array) -> S:
        return self.cell.start(h0)

    def advance(self, x: Array, s: S) -> S:
        return self.cell.step(self.params, x, s)[0]


def _first_rows(s: S, n: int) -> S:
    return s if len(s.h) == n else map_arrays(lambda a: a[:n], s)


def _with_rows(s: S, n: int) -> S:
    """Grow every slot to n rows with zeros: sequences that end here join on the way back."""

    def grown(a: Array) -> Array:
        return np.concatenate((a, np.zeros((n - len(a), *a.shape[1:]), a.dtype)))

    return s if len(s.h) == n else map_arrays(grown, s)


def _add_output(s: S, dh: Array) -> S:
    return attrs.evolve(s, h=s.h + dh)
