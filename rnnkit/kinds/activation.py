"""Elementwise functions."""

from __future__ import annotations

import abc
from typing import ClassVar

from rnnkit.kinds.arrays import Array
from rnnkit.kinds.plugin import Plugin


class Activation(Plugin):
    """Elementwise y = f(x), of any shape."""

    noun: ClassVar[str] = "activation"
    group: ClassVar[str] = "rnnkit.activations"

    @abc.abstractmethod
    def forward(self, x: Array) -> tuple[Array, Array]:
        """Compute y = f(x).

        Args:
            x: any shape; must not be changed.

        Returns:
            (y, saved): the value, and whichever one array `backward` wants, both shaped like x.
        """

    @abc.abstractmethod
    def backward(self, dy: Array, saved: Array) -> Array:
        """Compute dx = dy f'(x).

        Args:
            dy: gradient of the loss with respect to y.
            saved: the second result of `forward`.

        Returns:
            dx, shaped like dy.
        """

    def kinks(self) -> tuple[float, ...]:
        """The points where f' jumps. Gradient checks stay clear of them, and test both sides."""
        return ()
