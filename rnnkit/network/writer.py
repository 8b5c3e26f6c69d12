"""Whatever writes captions: one network, or several together."""

from __future__ import annotations

import abc
from typing import Generic

import numpy as np

from rnnkit.data.vocabulary import Vocabulary
from rnnkit.kinds import Array, Decoded, Decoder, DType, Ints, M, Rng
from rnnkit.spec import Spec


class Writer(abc.ABC, Generic[M]):
    """Captions from image features, word by word.

    Attributes:
        spec: whose `[caption]` says how to write, and whose seed random decoders start from.
        vocabulary: the words behind the tokens.
        feature_width: F.
        length: T, tokens of the longest caption it was built for, start and end included.
    """

    spec: Spec
    vocabulary: Vocabulary
    feature_width: int
    length: int

    @property
    @abc.abstractmethod
    def dtype(self) -> DType:
        """Of the image features that it takes."""

    @abc.abstractmethod
    def nats(self, features: Array, captions: Ints) -> tuple[float, int]:
        """The negative log likelihood of captions (N, T) for images (N, F).

        Returns:
            (nats, tokens): summed over all unmasked positions, and their number; perplexity is
            exp(nats / tokens).
        """

    @abc.abstractmethod
    def begin(self, features: Array) -> M:
        """What is remembered before the first word, from image features (N, F)."""

    @abc.abstractmethod
    def step(self, tokens: Ints, memory: M) -> tuple[Array, M]:
        """One token (n,) for each row of a memory -> log probabilities of the next (n, V), next memory.

        The array is the caller's to overwrite.
        """

    @abc.abstractmethod
    def afresh(self) -> Writer[M]:
        """The same, but what it writes does not depend, in the last digit, on what it has written before."""

    def decode(
        self, features: Array, decoder: Decoder | None = None, rng: Rng | None = None
    ) -> Decoded:
        """Write captions as tokens.

        Args:
            features: (N, F) image features.
            decoder: how to choose words; the spec's if left open.
            rng: for decoders that draw; seeded with the spec's seed if left open.
        """
        vocabulary, options = self.vocabulary, self.spec.caption
        banned = [vocabulary.null, vocabulary.start]
        if vocabulary.unknown is not None and not options.unknown:
            banned.append(vocabulary.unknown)

        def step(tokens: Ints, memory: M) -> tuple[Array, M]:
            log_probs, memory = self.step(tokens, memory)
            log_probs[:, banned] = -np.inf
            return log_probs, memory

        return (decoder or options.decoder).decode(
            step,
            self.begin(features),
            vocabulary.start,
            vocabulary.end,
            options.length or self.length - 1,
            rng or np.random.default_rng(self.spec.model.seed),
        )

    def caption(
        self, features: Array, decoder: Decoder | None = None, rng: Rng | None = None
    ) -> list[str]:
        """The best caption for each image of features (N, F), in words."""
        return [
            self.vocabulary.decode(best)
            for best in self.decode(features, decoder, rng).tokens[:, 0]
        ]
