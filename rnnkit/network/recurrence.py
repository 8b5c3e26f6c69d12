"""Sequences over a cell: time, packing, initial states and their gradients, written once for all cells.

A recurrence holds one cell and its parameters. Everything it takes and gives is packed (see `Packing`), so a
cell only ever sees live rows.
"""

from __future__ import annotations

import abc
from typing import Generic, TypeVar

import numpy as np

from rnnkit.kinds import Array, DType, Ints, Params, State, map_arrays
from rnnkit.network.packing import Packing

BLOCK = 8
"""Rows that products are made of: 12 or 15 rows take up to half as long again as 16."""

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
            h0: (n, H), or as wide as the cell wants it: what the states of the rows with a step at least
                start from, in packed order.
            packing: of the inputs.
            rows: (M,) where each packed input stands in x, if x has the distinct ones only. Words come
                again and again, so projecting each word once saves work.

        Returns:
            (h, tape): the packed outputs (M, H), and what `backward` needs.
        """

    @abc.abstractmethod
    def backward(self, dh: Array, tape: Tape) -> tuple[Array, Array, Q]:
        """The gradients (dx shaped like x, dh0 shaped like h0, dparams) from dh (M, H)."""

    @abc.abstractmethod
    def with_params(self, params: Q) -> Recurrence[Q, S, Tape]:
        """The same cell with other parameters."""

    @abc.abstractmethod
    def project(self, x: Array) -> Array:
        """What `advance` takes for inputs x (n, D): all that can be computed without a state."""

    @abc.abstractmethod
    def advance(self, projected: Array, s: S) -> S:
        """One step of all rows, for decoding; a gated cell overwrites the projected inputs."""

    @abc.abstractmethod
    def start(self, h0: Array) -> S:
        """The state before the first step, from h0 as in `forward`."""


def every_state(start: S, packing: Packing, dtype: DType) -> S:
    """Room for every slot at every step (n + M, ..) and some more, the initial rows first, filled."""

    def room(a: Array) -> Array:
        rows = len(a) + len(packing.rows) + BLOCK
        made: Array = np.empty((rows, *a.shape[1:]), np.result_type(a, dtype))
        made[: len(a)] = a
        return made

    return map_arrays(room, start)


def zero_gradients(start: S) -> tuple[S, S]:
    """Two states of zeros: a step back reads its gradient from one and writes the next to the other.

    Rows are written only from their sequence's last step on, so they are zero when they join.
    """
    return map_arrays(np.zeros_like, start), map_arrays(np.zeros_like, start)


def rows_of(s: S, rows: slice) -> S:
    return map_arrays(lambda a: a[rows], s)


def write(out: Array, a: Array) -> Array:
    out[...] = a
    return out
