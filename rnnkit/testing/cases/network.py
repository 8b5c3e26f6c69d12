"""Whole specs: the loss of the assembled network against every parameter."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import attrs
import numpy as np

from rnnkit.data import Vocabulary
from rnnkit.kinds import Ints, Rng
from rnnkit.network.builder import assemble
from rnnkit.network.sizes import Sizes
from rnnkit.spec import Spec
from rnnkit.testing.example import Case, Example, Leaves

F, V, T = 5, 9, 6


def network_cases(spec: Spec) -> Iterator[Case]:
    """The cases of one spec, its recurrent layers made narrow."""
    rnn = tuple(attrs.evolve(row, hidden=4 + i) for i, row in enumerate(spec.model.rnn))
    model = attrs.evolve(spec.model, rnn=rnn, dtype="float64")
    data = attrs.evolve(spec.data, features=None, vocabulary=None, length=None)
    small = attrs.evolve(spec, model=model, data=data)
    yield Case("evaluating", partial(_at, spec=small, training=False))
    yield Case("training", partial(_at, spec=small, training=True))
    yield Case("weights", partial(_at, spec=small, training=False, weighted=True))


def _captions(rng: Rng) -> Ints:
    """Captions of several lengths, one with a hole, one with nothing to say."""
    captions = np.zeros((5, T), int)
    for row, length in zip(captions, (T, 3, 4, T, 1), strict=True):
        row[:length] = rng.integers(4, V, length)
        row[0] = 1
    captions[3, 3] = 0
    return captions


def _at(rng: Rng, spec: Spec, training: bool, weighted: bool = False) -> Example:
    model = assemble(spec, Sizes(F, Vocabulary.standard(V), T))
    features, captions = rng.standard_normal((5, F)), _captions(rng)
    weights = np.array([1.5, -0.5, 0.0, 1.0, 2.0]) if weighted else None
    seed = int(rng.integers(2**31))
    leaves = {name: a + 0.1 * rng.standard_normal(a.shape) for name, a in model.parameters.items()}

    narrow = attrs.evolve(model.spec.model, dtype="float32")
    in_single = attrs.evolve(model, spec=attrs.evolve(model.spec, model=narrow))

    def source() -> Rng | None:
        return np.random.default_rng(seed) if training else None

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        # The loss goes forward and back at once, so the network itself is what backward needs.
        single = all(a.dtype == np.float32 for a in at.values())
        network = (in_single if single else model).with_parameters(at)
        loss, _ = network.evaluate(features, captions, source(), weights=weights, backward=False)
        return {"loss": np.asarray(loss)}, network

    def backward(at: Leaves, cotangents: Leaves, network: Any) -> Leaves:
        _, gradients = network.evaluate(features, captions, source(), weights=weights)
        scale = cotangents["loss"]
        return {name: scale * g for name, g in gradients.items()}

    return Example(leaves, forward, backward)
