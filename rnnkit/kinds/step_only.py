"""Recurrent cells of which the author writes the step alone: rnnkit derives the step back."""

from __future__ import annotations

import abc
from typing import Any, ClassVar, Generic

from rnnkit.kinds.arrays import Array, DType, Rng
from rnnkit.kinds.cell import P, RecurrentCell, S


class GatedStep(RecurrentCell[P, S, Any], Generic[P, S]):
    """A `GatedCell` without its step back.

    `step` returns the next state and nothing else. When the cell is first used, rnnkit runs it on stand-ins for
    arrays and derives from that the gradient, and what has to be kept for it. `rnnkit plugins show` prints what it
    derived; `rnnkit plugins derive` writes it into your file, which then has a `GatedCell`.
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
    def step(self, p: P, zx: Array, zh: Array, s: S) -> S:
        """One step.

        Args:
            p: the cell's own parameters; must not be changed.
            zx: (N, len(x_gates) H), the cell's to overwrite.
            zh: (N, len(h_gates) H), the cell's to overwrite.
            s: the previous state; must not be changed.

        Returns:
            The next state.
        """


class FreeStep(RecurrentCell[P, S, Any], Generic[P, S]):
    """A `Cell`, which owns its parameters and products, without its step back; see `GatedStep`."""

    @abc.abstractmethod
    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> P:
        """Initial parameters for inputs of width D = `in_features` and H = `hidden`."""

    @abc.abstractmethod
    def step(self, p: P, x: Array, s: S) -> S:
        """One step.

        Args:
            p: the parameters; must not be changed.
            x: (N, D), the input; must not be changed.
            s: the previous state; must not be changed.

        Returns:
            The next state.
        """
