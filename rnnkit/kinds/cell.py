"""Recurrent cells: one time step. Two tiers, one registry group.

The engine owns time, packing, stacking, the mask and the initial state: a cell sees one step of N live
rows, and never a mask or padding.
"""

from __future__ import annotations

import abc
from typing import ClassVar, Generic, TypeVar

from rnnkit.kinds.arrays import Array, DType, Params, Rng, State
from rnnkit.kinds.plugin import Plugin

P = TypeVar("P", bound=Params)
S = TypeVar("S", bound=State)
C = TypeVar("C")


class RecurrentCell(Plugin, Generic[P, S, C]):
    """What both tiers share; write a `GatedCell` if the maths is pointwise, else a `Cell`.

    P are the cell's own parameters, S its state and C the cache of one step.
    """

    noun: ClassVar[str] = "cell"
    group: ClassVar[str] = "rnnkit.cells"

    def start_width(self, hidden: int) -> int:
        """The width of what `start` takes: H = `hidden`, unless a cell wants to know more of the image."""
        return hidden

    def map_regions(self) -> int | None:
        """L, if `start` takes a map (H, L), flattened with the features first; None for any vector."""
        return None

    def attention(self, s: S) -> Array | None:
        """The weights (N, L) that a step from this state gives to the regions of the image; None if it looks at none."""
        return None

    @abc.abstractmethod
    def start(self, h0: Array) -> S:
        """The state before the first step, from h0 (N, start_width(H)), which is what the image gives.

        Usually h0 is the output slot itself, and other slots are 0. A cell for which it is not has a
        `start_back` of its own.
        """

    def start_back(self, h0: Array, ds: S) -> Array:
        """The gradient with respect to h0, from that of every slot of the state before the first step."""
        return ds.h


class GatedCell(RecurrentCell[P, S, C]):
    """One time step, pointwise; the engine owns every matrix product, which makes it fast for free.

    For each x-gate the engine has a column block of `Wx` (D, H) and `b` (H,), for each h-gate one of
    `Wh` (H, H). It computes

        zx = x Wx + b       (N, len(x_gates) H), for all steps in one product
        zh = h_prev Wh      (N, len(h_gates) H), step by step

    and the cell mixes the blocks, in the order of its gates, into the next state.
    """

    x_gates: ClassVar[tuple[str, ...]]
    h_gates: ClassVar[tuple[str, ...]]

    def bias(self, gate: str) -> float:
        """The initial value of one x-gate's bias."""
        return 0.0

    @abc.abstractmethod
    def init(self, hidden: int, rng: Rng, dtype: DType) -> P:
        """Initial values of the cell's own pointwise parameters (peepholes, gains), or `NoParams()`."""

    @abc.abstractmethod
    def step(self, p: P, zx: Array, zh: Array, s: S) -> tuple[S, C]:
        """One step.

        Args:
            p: the cell's own parameters; must not be changed.
            zx: (N, len(x_gates) H), the cell's to overwrite.
            zh: (N, len(h_gates) H), the cell's to overwrite.
            s: the previous state; must not be changed.

        Returns:
            (s_next, cache): the next state, and what `step_back` needs.
        """

    @abc.abstractmethod
    def step_back(self, p: P, ds: S, cache: C) -> tuple[Array, Array, S, P]:
        """One step back.

        Args:
            p: the cell's own parameters.
            ds: gradient with respect to every slot of the next state; must not be changed.
            cache: the second result of `step`.

        Returns:
            (dzx, dzh, ds_prev, dp): shaped like zx, zh, s and p. `ds_prev` leaves out the path through
            zh, which the engine adds. dzx and dzh may be one and the same array.
        """


class Cell(RecurrentCell[P, S, C]):
    """One time step, free form: the author owns all parameters and products, and pays for it in speed."""

    @abc.abstractmethod
    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> P:
        """Initial parameters for inputs of width D = `in_features` and H = `hidden`."""

    @abc.abstractmethod
    def step(self, p: P, x: Array, s: S) -> tuple[S, C]:
        """One step.

        Args:
            p: the parameters; must not be changed.
            x: (N, D), the input; must not be changed.
            s: the previous state; must not be changed.

        Returns:
            (s_next, cache): the next state, and what `step_back` needs.
        """

    @abc.abstractmethod
    def step_back(self, p: P, ds: S, cache: C) -> tuple[Array, S, P]:
        """One step back.

        Args:
            p: the parameters.
            ds: gradient with respect to every slot of the next state; must not be changed.
            cache: the second result of `step`.

        Returns:
            (dx, ds_prev, dp): shaped like x, s and p; the engine sums dp over time.
        """
