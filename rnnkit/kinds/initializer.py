"""Initial values of parameters."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import ClassVar

from rnnkit.kinds.arrays import Array, DType, Rng
from rnnkit.kinds.plugin import Plugin


class Initializer(Plugin):
    """A way to fill an array before training."""

    noun: ClassVar[str] = "initializer"
    group: ClassVar[str] = "rnnkit.initializers"

    @abc.abstractmethod
    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        """A new array.

        Args:
            shape: its shape; weights are (in, out).
            fan_in: number of inputs that each output sums over.
            fan_out: number of outputs that each input feeds.
            rng: the only source of randomness.
            dtype: of the result. Draw in float64 and cast, so that both types get the same numbers.
        """

    def for_words(self, words: Sequence[str]) -> Initializer:
        """The initializer of an array with a row for each of these words, such as an embedding's: this one by default.

        It is asked once, as a network begins for data, and not when a model is read from its file: so it may look into
        files of its own.

        Raises:
            ValueError: it cannot, with what to do about it.
        """
        return self

    @property
    def told(self) -> str:
        """What is to be told to whoever begins a network with it; nothing by default."""
        return ""

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float] | None:
        """Mean and standard deviation of the elements of a (fan_in, fan_out) array, over all draws.

        What is said here is checked with samples; None, the default, says nothing.
        """
        return None


def weights(init: Initializer | None, rows: int, columns: int, rng: Rng, dtype: DType) -> Array:
    """Initial weights (rows, columns) of one gate; N(0, 1/rows) where `init` is left open.

    That keeps the variance from input to output (LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, section
    4.6), and is what a gated cell's weights begin with.
    """
    if init is not None:
        return init.fill((rows, columns), rows, columns, rng, dtype)
    return rng.normal(0.0, 1.0 / math.sqrt(rows), (rows, columns)).astype(dtype)
