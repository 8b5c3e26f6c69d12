"""Layers at the end of a head that know how likely a word is without the scores of all others."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from rnnkit.kinds.arrays import Array, Ints, Params
from rnnkit.kinds.layer import Layer

P = TypeVar("P", bound=Params)
C = TypeVar("C")
K = TypeVar("K")


class LikelihoodLayer(Layer[Array, P, C], Generic[P, C, K]):
    """A layer whose outputs are log probabilities of the words, and that can compute those of given words alone.

    It is the last layer of a head. `forward` gives all of them (.., V), normalized, for captions, for export, and for losses
    that depend on all; training and evaluation use `likelihood`, where the loss has `of_target`. K is the cache of that.

    A layer that works best if frequent words come first, sets `by_frequency = True`: tokens are then counted and ordered.
    """

    by_frequency: ClassVar[bool] = False

    @abc.abstractmethod
    def likelihood(self, p: P, x: Array, targets: Ints) -> tuple[Array, K]:
        """Compute the log probability of one word at each position.

        Args:
            p: the parameters; must not be changed.
            x: (M, D); must not be changed.
            targets: (M,), in [0, V).

        Returns:
            (log_probs, cache): (M,), what `forward` gives there; and what `likelihood_back` needs.
        """

    @abc.abstractmethod
    def likelihood_back(self, p: P, dlog_probs: Array, cache: K) -> tuple[Array, P]:
        """Compute (dx, dp) from dlog_probs (M,)."""

    @abc.abstractmethod
    def word_axes(self) -> Mapping[str, tuple[int, Ints]]:
        """Where the words are in the parameters, for those who take them over from a network with other words.

        Returns:
            Parameter -> (axis, tokens): the axis that goes through words, and the token of each place of it; a negative
            number is no word, but stands for the same in every vocabulary.
        """
