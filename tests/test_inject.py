"""Where the image enters the network: init, pre, par and merge, against loops over the equations."""

from __future__ import annotations

import itertools
from typing import Any

import attrs
import numpy as np
import pytest

from rnnkit.data import Vocabulary
from rnnkit.describing.summary import summarize
from rnnkit.errors import SpecError
from rnnkit.kinds import Array, Ints
from rnnkit.network.builder import assemble
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec
from tests.complex_steps import assert_gradients

F, V, T, D, H = 6, 9, 7, 5, 4

PLACES = ["init", "pre", "par", "merge"]

VANILLA = f"""
[model]
dtype = "float64"
words = {{ use = "embedding", dim = {D} }}
[[model.rnn]]
hidden = {H}
cell = "vanilla"
"""

STACKED = f"""
[model]
dtype = "float64"
image = [{{ use = "dropout", rate = 0.2 }}, {{ use = "affine", units = 3 }}, "tanh", "affine"]
words = [{{ use = "embedding", dim = {D} }}, {{ use = "dropout", rate = 0.3 }}]
head = [{{ use = "dropout", rate = 0.3 }}, "affine"]
[[model.rnn]]
hidden = {H}
cell = "lstm"
[[model.rnn]]
hidden = 3
cell = "gru-reset-before"
input = {{ use = "dropout", rate = 0.2 }}
"""


MIXED = f"{VANILLA}input = [{{ use = 'affine', units = 3 }}, 'tanh']\n"
"""A chain before the bottom layer, which mixes what is beside each other."""


def network(source: str, inject: str) -> Captioner:
    spec = parse_spec(source, overrides=[f"model.inject={inject}"])
    model = assemble(spec, Sizes(F, Vocabulary.standard(V), T))
    rng = np.random.default_rng(5)
    for w in model.parameters.values():
        w += 0.3 * rng.standard_normal(w.shape)
    return model


def batch() -> tuple[Array, Ints]:
    """Captions of several lengths, one with a hole, one empty."""
    rng = np.random.default_rng(0)
    captions = np.zeros((5, T), int)
    for row, length in zip(captions, [7, 3, 5, 7, 1], strict=True):
        row[:length] = rng.integers(4, V, length)
        row[0] = 1
    captions[3, 3] = 0
    return rng.standard_normal((5, F)), captions


@pytest.mark.parametrize("inject", PLACES)
def test_scores_follow_the_equations(inject: str) -> None:
    model = network(VANILLA, inject)
    features, captions = batch()
    p = model.parameters
    scores = model.scores(features, captions)
    for row, feature, caption in zip(scores, features, captions, strict=True):
        v = feature @ p["image.0.W"] + p["image.0.b"]
        h = v if inject == "init" else np.zeros(H)

        def step(x: Array, h: Array) -> Array:
            z: Array = x @ p["rnn.0.Wx"] + h @ p["rnn.0.Wh"] + p["rnn.0.b"]
            return np.tanh(z)

        if inject == "pre":
            h = step(v, h)
        last = np.flatnonzero(caption)[-1]
        for t in range(last):
            x = p["words.0.W"][caption[t]]
            h = step(np.concatenate([x, v]) if inject == "par" else x, h)
            out = np.concatenate([h, v]) if inject == "merge" else h
            np.testing.assert_allclose(
                row[t], out @ p["head.0.W"] + p["head.0.b"], rtol=1e-12, atol=1e-13
            )


@pytest.mark.parametrize("inject", PLACES)
@pytest.mark.parametrize("source", [VANILLA, STACKED, MIXED], ids=["vanilla", "stacked", "mixed"])
def test_step_by_step_is_what_training_computes(source: str, inject: str) -> None:
    model, (features, captions) = network(source, inject), batch()
    for network_ in (model, model.frozen()):
        total = 0.0
        for row, feature in zip(captions, features, strict=True):
            memory = network_.begin(feature[None])
            for word, target in itertools.pairwise(row):
                log_probs, memory = network_.step(np.array([word]), memory)
                total -= float(log_probs[0, target]) if target else 0.0
        assert model.nats(features, captions)[0] == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("inject", PLACES)
@pytest.mark.parametrize("source", [VANILLA, STACKED, MIXED], ids=["vanilla", "stacked", "mixed"])
@pytest.mark.parametrize("seed", [None, 3], ids=["evaluating", "training"])
def test_gradients_agree_with_a_complex_step(source: str, inject: str, seed: int | None) -> None:
    assert_gradients(network(source, inject), *batch(), seed)


MAPS = f"""
[model]
dtype = "float64"
image = {{ use = "regions", count = 3 }}
words = {{ use = "embedding", dim = {D} }}
[[model.rnn]]
hidden = {H}
cell = {{ use = "attention-lstm", regions = 3 }}
"""


@pytest.mark.parametrize(
    ("source", "inject"),
    [*itertools.product([VANILLA, STACKED], PLACES), (MIXED, "par"), (MAPS, "init")],
)
@pytest.mark.parametrize("seed", [None, 3], ids=["evaluating", "training"])
def test_the_gradient_of_the_features_agrees_with_a_complex_step(
    source: str, inject: str, seed: int | None
) -> None:
    model, (features, captions) = network(source, inject), batch()

    def rng() -> np.random.Generator | None:
        return None if seed is None else np.random.default_rng(seed)

    taken: set[str] = set()
    loss, gradients = model.loss_and_gradients(
        features, captions, rng(), take=taken.update, wrt_features=True
    )
    assert set(gradients) == {*model.parameters, "features"}
    assert taken == set(model.parameters)  # an update knows nothing of features
    same, without = model.loss_and_gradients(features, captions, rng())
    assert same == loss
    assert set(without) == set(model.parameters)
    assert all(np.array_equal(without[name], gradients[name]) for name in without)
    complex_ = {k: a.astype(complex) for k, a in model.parameters.items()}
    stepped: Any = attrs.evolve(model.with_parameters(complex_), spec=in_complex(model.spec))
    for v in np.random.default_rng(1).standard_normal((3, *features.shape)):
        moved = features + 1e-30j * v
        slope = stepped.evaluate(moved, captions, rng(), backward=False)[0].imag / 1e-30
        assert np.sum(gradients["features"] * v) == pytest.approx(slope, rel=1e-12)
    assert not gradients["features"][4].any()  # its caption is empty


def in_complex(spec: Any) -> Any:
    """A spec whose network lets complex features through."""
    return attrs.evolve(spec, model=attrs.evolve(spec.model, dtype="complex128"))


@pytest.mark.parametrize(
    ("inject", "shapes"),
    [
        ("init", {"image.0.W": (F, H), "rnn.0.Wx": (D, H), "head.0.W": (H, V)}),
        ("pre", {"image.0.W": (F, D), "rnn.0.Wx": (D, H), "head.0.W": (H, V)}),
        ("par", {"image.0.W": (F, D), "rnn.0.Wx": (2 * D, H), "head.0.W": (H, V)}),
        ("merge", {"image.0.W": (F, H), "rnn.0.Wx": (D, H), "head.0.W": (2 * H, V)}),
    ],
)
def test_widths_follow_from_where_the_image_enters(
    inject: str, shapes: dict[str, tuple[int, int]]
) -> None:
    model = network(VANILLA, inject)
    assert {name: model.parameters[name].shape for name in shapes} == shapes
    rnn = next(part for part in summarize(model).parts if part.name == "rnn.0")
    steps = T if inject == "pre" else T - 1
    once = D if inject == "par" else 0  # the image is projected once, not with each word
    assert rnn.multiply_adds == (steps * (shapes["rnn.0.Wx"][0] - once + H) + once) * H


@pytest.mark.parametrize("inject", ["par", "merge"])
def test_beside_something_the_image_may_have_any_width(inject: str) -> None:
    model = network(VANILLA.replace("[model]", "[model]\nimage = []"), inject)
    width = {"par": model.parameters["rnn.0.Wx"], "merge": model.parameters["head.0.W"]}[inject]
    assert len(width) == {"par": D, "merge": H}[inject] + F


@pytest.mark.parametrize("inject", ["init", "pre"])
def test_in_the_place_of_something_it_must_be_as_wide(inject: str) -> None:
    wanted = {"init": H, "pre": D}[inject]
    with pytest.raises(
        SpecError, match=f"the chain ends in width 3, but must end in {wanted} here"
    ):
        network(
            VANILLA.replace("[model]", '[model]\nimage = { use = "affine", units = 3 }'), inject
        )


def test_an_unknown_place_is_told_with_those_there_are() -> None:
    with pytest.raises(SpecError, match="there is init, merge, par, pre"):
        network(VANILLA, "mid")
