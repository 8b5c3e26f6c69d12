"""Whatever writes captions: one network, or several together."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import numpy as np

from rnnkit.data.photos.opening import Photo
from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.data.vocabulary import Vocabulary
from rnnkit.errors import DataError, RegistryError, listed, quoted
from rnnkit.kinds import Array, Decoded, Decoder, DType, Ints, M, Rng
from rnnkit.registry.returned import decoded
from rnnkit.spec import Spec, load_plugin

A = TypeVar("A", Array, Ints)


class Writer(abc.ABC, Generic[M]):
    """Captions from image features, word by word.

    Attributes:
        spec: whose `[caption]` says how to write, and whose seed random decoders start from.
        vocabulary: the words behind the tokens.
        feature_width: F.
        length: T, tokens of the longest caption it was built for, start and end included.
        map: (C, h, w) or (C, L), if it was built for features that are known to be maps, channels first.
        pipeline: how its image features come from photos; None if it does not know.
    """

    spec: Spec
    vocabulary: Vocabulary
    feature_width: int
    length: int
    map: tuple[int, ...] | None
    pipeline: ImagePipeline | None

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

    def writing_step(self, tokens: Ints, memory: M) -> tuple[Array, M]:
        """`step`, with -inf for the tokens that are banned."""
        log_probs, memory = self.step(tokens, memory)
        for token in self.banned:  # an index of several tokens takes ten times as long for one row
            log_probs[:, token] = -np.inf
        return log_probs, memory

    @property
    def banned(self) -> list[int]:
        """The tokens that no caption has: padding, start and, unless the spec allows it, `<UNK>`."""
        words = self.vocabulary
        unknown = [] if words.unknown is None or self.spec.caption.unknown else [words.unknown]
        return [words.null, words.start, *unknown]

    @property
    def limit(self) -> int:
        """The most tokens of a caption, its end included."""
        return self.spec.caption.length or self.length - 1

    @abc.abstractmethod
    def afresh(self) -> Writer[M]:
        """The same, but what it writes does not depend, in the last digit, on what it has written before."""

    def as_features(self, features: Array) -> Array:
        """Image features (N, F) in the type that is computed in; a list of rows will do.

        Raises:
            DataError: they are of another shape, or no numbers.
        """
        features = as_numbers(features, "image features")
        if features.ndim != 2 or features.shape[1] != self.feature_width:
            one = "; of one image, give features[None]" if features.ndim == 1 else ""
            raise DataError(
                f"the image features have shape {features.shape}, and this network takes "
                f"(N, {self.feature_width}){one}"
            )
        return features.astype(self.dtype, copy=False)

    def decode(
        self, features: Array, decoder: Decoder | str | None = None, rng: Rng | None = None
    ) -> Decoded:
        """Write captions as tokens.

        Args:
            features: (N, F) image features.
            decoder: how to choose words, or the name of a plugin that does; the spec's if left open.
            rng: for decoders that draw; seeded with the spec's seed if left open.

        Raises:
            DataError: the features are of another shape, or some are not finite.
            RegistryError: there is no such decoder.
        """
        features = self.as_features(features)
        rows = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if rows.size:
            which = "row" if rows.size == 1 else "rows"
            raise DataError(f"the image features of {which} {listed(rows)} are not all finite")
        vocabulary, chosen = self.vocabulary, as_decoder(decoder, self.spec.caption.decoder)
        made = chosen.decode(
            self.writing_step,
            self.begin(features),
            vocabulary.start,
            vocabulary.end,
            self.limit,
            rng or np.random.default_rng(self.spec.model.seed),
        )
        return decoded(chosen, made, len(features), len(vocabulary))

    def caption(
        self, features: Array, decoder: Decoder | str | None = None, rng: Rng | None = None
    ) -> list[str]:
        """The best caption for each image of features (N, F), in words; arguments and errors are those of `decode`."""
        return [
            self.vocabulary.decode(best)
            for best in self.decode(features, decoder, rng).tokens[:, 0]
        ]

    def caption_photos(
        self,
        photos: Iterable[Photo],
        decoder: Decoder | str | None = None,
        rng: Rng | None = None,
    ) -> list[str]:
        """The best caption for each photo, in words.

        Args:
            photos: paths, pictures of Pillow's, or arrays (h, w, 3) of uint8.
            decoder: as `decode` has it.
            rng: as `decode` has it.

        Raises:
            DataError: the model does not know which encoder made its image features, or a photo cannot be read.
            RegistryError: the encoder is not installed, or is another one by now.
        """
        if self.pipeline is None:
            raise DataError(NO_ENCODER)
        if isinstance(photos, str | bytes):
            raise DataError(f"photos are a list, even of one: caption_photos([{quoted(photos)}])")
        return self.caption(self.pipeline.features(photos), decoder, rng)


NO_ENCODER: Final = (
    "the model cannot caption photos, because the data it was trained on does not say which encoder made its image "
    "features: say it with  rnnkit data describe DIR --encoder NAME  of that data folder, and name the folder "
    "with --data DIR, or train again"
)


def as_decoder(decoder: Decoder | str | None, usual: Decoder) -> Decoder:
    """The decoder that is meant: this one, that of this name, or the usual one.

    Raises:
        RegistryError: there is no such decoder.
    """
    if decoder is None:
        return usual
    if isinstance(decoder, Decoder):
        return decoder
    if isinstance(decoder, str):
        return load_plugin(Decoder, decoder)
    raise RegistryError(
        f"{quoted(decoder)} is no decoder: give the name of one, such as 'beam', or "
        'rnnkit.load_plugin("decoder", "beam", width=5)'
    )


def as_numbers(given: A, what: str) -> A:
    """An array of what is given for one, which may be a list.

    Args:
        what: it is called in an error.

    Raises:
        DataError: it is no array of numbers.
    """
    try:
        array: A = np.asarray(given)
    except ValueError as e:  # rows of different lengths
        raise DataError(f"the {what} are no array: {e}") from e
    if array.dtype.kind not in "biufc":
        raise DataError(f"the {what} are {quoted(given)}, and must be an array of numbers")
    return array
