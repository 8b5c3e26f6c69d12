"""rnnkit's network of a problem."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np

import rnnkit
from benchmarks.captions import Source
from benchmarks.task import LEARNING_RATE, Batch, Problem
from rnnkit.data import HeldFeatures, Split, Vocabulary
from rnnkit.kinds.arrays import Array
from rnnkit.network.builder import assemble
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.training import Trainer

SPEC = """\
[model]
words = {{ use = "embedding", dim = {width} }}
[[model.rnn]]
hidden = {hidden}
cell = "{cell}"
[train]
epochs = 1
batch = {batch}
optimizer = {{ use = "adam", learning_rate = {learning_rate} }}
"""


def network(problem: Problem, values: Mapping[str, Array] | None = None) -> Captioner:
    """The network with these parameters, or with those it draws itself."""
    spec = rnnkit.parse_spec(SPEC.format(learning_rate=LEARNING_RATE, **attrs.asdict(problem)))
    vocabulary = Vocabulary.standard(problem.vocabulary)
    model = assemble(spec, Sizes(problem.features, vocabulary, problem.length))
    if values is not None:
        for name, w in model.parameters.items():
            w[...] = values[name]
    return model


def initial_parameters(problem: Problem) -> dict[str, Array]:
    """Where all contenders begin. Biases are drawn as well, so that no mistake with one can hide."""
    rng = np.random.default_rng(0)
    return {
        name: w if w.any() else rng.normal(0.0, 0.1, w.shape).astype(w.dtype)
        for name, w in network(problem).parameters.items()
    }


def trained_parameters(problem: Problem, source: Source, updates: int) -> dict[str, Array]:
    """The parameters of a network that has learnt a little: when a caption ends, for one thing."""
    model, rng = network(problem), np.random.default_rng(0)
    trainer = Trainer(model, as_split(source.batch(problem.batch, rng)))
    for _ in range(updates):
        batch = source.batch(problem.batch, rng)
        trainer.update(batch.captions, batch.features)
    return model.parameters


def as_split(batch: Batch) -> Split:
    """A batch as data to train on."""
    everyone = np.arange(len(batch.captions))
    return Split("train", batch.captions, everyone, HeldFeatures(batch.features))
