"""Several networks that write captions together: p(word) = mean over k of p_k(word)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.data.vocabulary import Vocabulary
from rnnkit.errors import DataError
from rnnkit.kinds import Array, DType, Ints, Memory
from rnnkit.network.checkpoint import load_model
from rnnkit.network.maps import regions_of
from rnnkit.network.memory import Remembered
from rnnkit.network.model import Captioner
from rnnkit.network.writer import Writer
from rnnkit.numerics import log_softmax
from rnnkit.registry.labels import name_of
from rnnkit.spec import Spec
from rnnkit.system.glance import AtAGlance, Glance

SCORE_BYTES: Final = 32 << 20
"""Bytes of one network's scores that are in memory at once where captions are judged."""


@attrs.frozen(eq=False)
class Memories(Memory):
    """What each network remembers, in their order."""

    each: tuple[Remembered, ...]

    def __len__(self) -> int:
        return len(self.each[0])

    def take(self, rows: Ints) -> Memories:
        return Memories(tuple(memory.take(rows) for memory in self.each))


@attrs.frozen(eq=False, init=False, repr=False)
class Ensemble(AtAGlance, Writer[Memories]):
    """Networks that write together: the next word has the mean of the probabilities that they give it.

    They may differ in all but the words, which must be the same in the same order, and the image features.
    The first says how to write: its `[caption]`, and the length of its data.

    Vinyals, Toshev, Bengio & Erhan, "Show and tell: lessons learned from the 2015 MSCOCO image captioning
    challenge" (2016), on ensembling.

    Attributes:
        models: the networks, one at least.
        spec: of the first.
        vocabulary: the words behind the tokens.
        feature_width: F.
        length: T of the first.
        map: of the first that was built for maps.
        pipeline: of the first that says how its image features come from photos.
    """

    models: tuple[Captioner, ...]
    spec: Spec
    vocabulary: Vocabulary
    feature_width: int
    length: int
    map: tuple[int, ...] | None
    pipeline: ImagePipeline | None

    def __init__(self, models: Sequence[Captioner]) -> None:
        """Put networks together.

        Raises:
            DataError: there is none, or one does not have the words or the features of the first.
        """
        check_alike(models, [f"model {k}" for k in range(1, len(models) + 1)])
        first = models[0]
        self.__attrs_init__(
            tuple(models),
            first.spec,
            first.vocabulary,
            first.feature_width,
            first.length,
            next((model.map for model in models if model.map), None),
            next((model.pipeline for model in models if model.pipeline), None),
        )

    @property
    def dtype(self) -> DType:
        """Of the image features that it takes, and of its probabilities: the finest of the networks' own."""
        return np.result_type(*(model.dtype for model in self.models))

    def afresh(self) -> Ensemble:
        return Ensemble([model.afresh() for model in self.models])

    def begin(self, features: Array) -> Memories:
        return Memories(tuple(model.begin(features) for model in self.models))

    def step(self, tokens: Ints, memory: Memories) -> tuple[Array, Memories]:
        stepped = [
            model.step(tokens, each) for model, each in zip(self.models, memory.each, strict=True)
        ]
        return log_mean([p for p, _ in stepped]), Memories(tuple(m for _, m in stepped))

    def nats(self, features: Array, captions: Ints) -> tuple[float, int]:
        """The negative log likelihood of captions, as `Captioner.nats` has it.

        Returns:
            (nats, tokens): summed over all unmasked positions, and their number; perplexity is
            exp(nats / tokens).

        Raises:
            DataError: shapes, or tokens outside the vocabulary.
        """
        if len(captions) != len(features):
            raise DataError(
                f"there are {len(captions)} captions and {len(features)} images; each caption needs the "
                "features of its image"
            )
        row = max(1, captions[:1].size * len(self.vocabulary) * self.dtype.itemsize)
        rows, total, count = max(1, SCORE_BYTES // row), 0.0, 0
        for i in range(0, len(captions), rows):
            piece = features[i : i + rows], captions[i : i + rows]
            of_targets = log_mean([_of_targets(model, *piece) for model in self.models])
            counts = piece[1][:, 1:] != self.vocabulary.null
            total -= float(of_targets[counts].sum(dtype=np.float64))
            count += int(np.count_nonzero(counts))
        return total, count

    def _glance(self) -> Glance:
        cells = [
            " + ".join(name_of(row.cell) for row in model.spec.model.rnn) for model in self.models
        ]
        rows = [
            (f"model {k}", f"{cell}, {model.size:,} parameters")
            for k, (cell, model) in enumerate(zip(cells, self.models, strict=True), 1)
        ]
        return f"Ensemble of {len(rows)}: the mean of their probabilities", rows


def log_mean(log_probs: Sequence[Array]) -> Array:
    """log(1/K sum_k exp(x_k)) of K arrays, elementwise, where no exp(x_k) need be a number above 0.

    `np.logaddexp` would take four times as long.
    """
    most = reduce(np.maximum, log_probs)
    most = np.maximum(most, np.finfo(most.dtype).min)  # else -inf - -inf where all are -inf
    mean: Array = reduce(np.add, (np.exp(x - most) for x in log_probs))
    mean /= len(log_probs)
    with np.errstate(divide="ignore"):
        np.log(mean, out=mean)
    mean += most
    return mean


def _of_targets(model: Captioner, features: Array, captions: Ints) -> Array:
    """The log probability (N, T - 1) of each token after the first; of no meaning where it is `<NULL>`."""
    scores = model.scores(features, captions)
    log_probs = log_softmax(scores, out=scores)
    return np.take_along_axis(log_probs, captions[:, 1:, None], axis=2)[:, :, 0]


def check_alike(models: Sequence[Captioner], names: Sequence[str]) -> None:
    """Make sure that networks can write together.

    Args:
        names: what an error calls them.

    Raises:
        DataError: there is none, or one does not have the words or the features of the first.
    """
    if not models:
        raise DataError("an ensemble needs at least one model")
    first, *others = models
    for model, name in zip(others, names[1:], strict=True):
        if model.vocabulary != first.vocabulary:
            raise DataError(
                f"{name} has other words than {names[0]} ({model.vocabulary.difference(first.vocabulary)}); an ensemble needs "
                "models with the same words in the same order"
            )
        if model.feature_width != first.feature_width:
            raise DataError(
                f"{name} takes image features of width {model.feature_width}, and {names[0]} of width "
                f"{first.feature_width}; an ensemble needs models that take the same features"
            )
        if model.map and first.map and regions_of(model.map) != regions_of(first.map):
            raise DataError(
                f"{name} takes maps of {regions_of(model.map)}, and {names[0]} of {regions_of(first.map)}; an "
                "ensemble needs models that take the same features"
            )
        difference = model.pipeline and first.pipeline and first.pipeline.difference(model.pipeline)
        if difference:
            raise DataError(
                f"{name} takes other image features than {names[0]}: they {difference}; an ensemble needs models "
                "that take the same features"
            )
        if model.spec.data.raw != first.spec.data.raw:
            kinds = ["raw" if m.spec.data.raw else "reduced" for m in (model, first)]
            raise DataError(
                f"{name} takes {kinds[0]} image features, and {names[0]} takes {kinds[1]} ones; an "
                "ensemble needs models that take the same features"
            )


def load_writer(paths: Sequence[Path]) -> Captioner | Ensemble:
    """Read a model, or several that write together, from files or runs' folders. They are frozen.

    Raises:
        CheckpointError: one is not there, is damaged, or needs a plugin that is not installed.
        DataError: they have not the same words, or not the same features.
    """
    models = [load_model(path).frozen() for path in paths]
    if len(models) == 1:
        return models[0]
    check_alike(models, [str(path) for path in paths])
    return Ensemble(models)
