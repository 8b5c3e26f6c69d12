"""From next-token scores to captions."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import ClassVar, Self, TypeVar

import attrs

from rnnkit.kinds.arrays import Array, Ints, Rng
from rnnkit.kinds.plugin import Plugin


class Memory(abc.ABC):
    """What the network remembers of the captions under way, one row each. Immutable."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abc.abstractmethod
    def take(self, rows: Ints) -> Self:
        """The memory of these rows, in this order; a row may be taken more than once, or not at all."""


M = TypeVar("M", bound=Memory)
"""The memory of the network at hand, whichever that is: for the annotations of `Decoder.decode`."""


@attrs.frozen
class Decoded:
    """Captions for N images, K for each, best first.

    Attributes:
        tokens: (N, K, L), without the start token; whatever follows the first end token is end tokens.
        log_probs: (N, K), natural logarithm of the probability the model gives to the whole caption,
            its end token included: whatever a decoder forbids or favours is not in it. -inf where there is
            no caption, which is after all that are.
    """

    tokens: Ints
    log_probs: Array


class Decoder(Plugin):
    """A way to choose token sequences, knowing the network only through its step function."""

    noun: ClassVar[str] = "decoder"
    group: ClassVar[str] = "rnnkit.decoders"

    @abc.abstractmethod
    def decode(
        self,
        step: Callable[[Ints, M], tuple[Array, M]],
        memory: M,
        start: int,
        end: int,
        limit: int,
        rng: Rng,
    ) -> Decoded:
        """Write captions.

        Args:
            step: takes one token for each row of a memory (n,), and that memory; returns the log
                probabilities of the next token (n, V) and the memory after it. Tokens that must not
                appear have -inf. The array is the decoder's to overwrite.
            memory: before the first token, N rows.
            start: the token to begin with.
            end: the token that ends a caption.
            limit: the largest number of tokens in a caption, the end token included.
            rng: the only source of randomness.
        """
