"""Update rules."""

from __future__ import annotations

import abc
from typing import ClassVar, Generic, TypeVar

from rnnkit.kinds.arrays import Array, Slots
from rnnkit.kinds.plugin import Plugin

L = TypeVar("L", bound=Slots)


class Optimizer(Plugin, Generic[L]):
    """An elementwise update rule; L holds what it remembers of one array (moments, ...).

    By convention the option for the base step size is called `learning_rate`.
    """

    noun: ClassVar[str] = "optimizer"
    group: ClassVar[str] = "rnnkit.optimizers"

    @abc.abstractmethod
    def slots(self, w: Array) -> L:
        """What there is to remember of `w` before the first update; arrays shaped and typed like w."""

    @abc.abstractmethod
    def update(self, w: Array, dw: Array, slots: L, step: int, factor: float) -> None:
        """Update `w` and the arrays of `slots` in place.

        Args:
            w: the parameter.
            dw: its gradient; must not be changed.
            slots: from `slots(w)`.
            step: number of this update, from 1.
            factor: the schedule's factor on the learning rate.
        """
