"""Update rules."""

from __future__ import annotations

import abc
from typing import ClassVar, Generic, TypeVar

from rnnkit.kinds.arrays import Array, Slots
from rnnkit.kinds.plugin import Plugin

L = TypeVar("L", bound=Slots)


class Optimizer(Plugin, Generic[L]):
    """An update rule of one array; L holds what it remembers of it (moments, ...).

    By convention the option for the base step size is called `learning_rate`, and that of what pulls parameters to 0
    `weight_decay`; groups of parameters may have others.

    Most rules are elementwise: the update of an element depends on no other. rnnkit then cuts arrays where it likes,
    so that what is computed on the way stays in the processor's cache, and ranks share the work. A rule that must see
    whole arrays, in their own shape, sets `elementwise = False`; its slots may have any shapes.
    """

    noun: ClassVar[str] = "optimizer"
    group: ClassVar[str] = "rnnkit.optimizers"
    elementwise: ClassVar[bool] = True

    @abc.abstractmethod
    def slots(self, w: Array) -> L:
        """What there is to remember of `w` before the first update; arrays shaped and typed like w, unless the rule
        is not elementwise.
        """

    @abc.abstractmethod
    def update(self, w: Array, dw: Array, slots: L, step: int, factor: float) -> None:
        """Update `w` and the arrays of `slots` in place.

        Args:
            w: the parameter.
            dw: its gradient; must not be changed.
            slots: from `slots(w)`.
            step: number of this update of `w`, from 1.
            factor: the schedule's factor on the learning rate.
        """
