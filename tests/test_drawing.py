"""Captions drawn for training: whatever the network, and whoever draws them."""

from __future__ import annotations

import numpy as np
import pytest

from rnnkit.data import Vocabulary
from rnnkit.network.builder import assemble
from rnnkit.network.lots import Lot
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec
from rnnkit.training.drawing import DrawingLoss, draw
from rnnkit.training.self_critical import advantages, speller

CELLS = ("vanilla", "gru", "gru-reset-before", "peephole-lstm")
SPEC = """
[model]
dtype = "float64"
words = [{ use = "embedding", dim = 6 }, { use = "dropout", rate = 0.5 }]
head = [{ use = "dropout", rate = 0.5 }, "affine"]
[[model.rnn]]
hidden = 7
cell = "lstm"
[caption]
length = 6
"""
ATTENTION = """
[model]
dtype = "float64"
words = { use = "embedding", dim = 6 }
image = [{ use = "regions", count = 3 }]
[[model.rnn]]
hidden = 7
cell = { use = "attention-lstm", regions = 3 }
[caption]
length = 6
"""


def network(spec: str, *overrides: str, features: int = 6) -> Captioner:
    model = assemble(parse_spec(spec, overrides=overrides), Sizes(features, words(), 8))
    rng = np.random.default_rng(0)
    return model.with_parameters(
        {name: w + 0.5 * rng.standard_normal(w.shape) for name, w in model.parameters.items()}
    )


def words() -> Vocabulary:
    return Vocabulary.standard(11)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize(
    "model",
    [
        *(
            pytest.param(network(SPEC, f"model.inject={i}"), id=i)
            for i in ("init", "pre", "par", "merge")
        ),
        *(pytest.param(network(SPEC, f'model.rnn[0].cell="{cell}"'), id=cell) for cell in CELLS),
        pytest.param(network(SPEC + "[[model.rnn]]\nhidden = 5\ncell = 'gru'\n"), id="stacked"),
        pytest.param(network(SPEC, "caption.unknown=true"), id="unknown"),
        pytest.param(network(ATTENTION), id="attention"),
    ],
)
def test_what_draws_is_what_the_gradient_is_of(model: Captioner, temperature: float) -> None:
    """Word by word, and all at once in training: captions of both have the same probability."""
    rng = np.random.default_rng(1)
    features, numbers = rng.standard_normal((9, 6)), rng.random((9, 4, model.limit))
    drawn = draw(model, features, temperature, numbers)
    assert drawn.captions.shape == (36, 1 + model.limit)
    loss = DrawingLoss(tuple(model.banned), temperature)
    (nats,), gradients = model.evaluate_lots(
        [Lot(np.repeat(features, 4, axis=0), drawn.captions, loss, 1.0)]
    )
    assert nats == pytest.approx(drawn.nats, rel=1e-12)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    # Each has a start, words that may appear, and padding behind its end.
    vocabulary = model.vocabulary
    assert (drawn.captions[:, 0] == vocabulary.start).all()
    ended = np.cumsum(drawn.captions == vocabulary.end, axis=1) > 0
    behind = ended[:, :-1]
    assert (drawn.captions[:, 1:][behind] == vocabulary.null).all()
    assert not np.isin(drawn.captions[:, 1:][~behind], model.banned).any()
    assert len(np.unique(drawn.captions, axis=0)) > 18


def test_what_is_drawn_for_an_image_depends_on_its_numbers_alone() -> None:
    model, rng = network(SPEC), np.random.default_rng(2)
    features, numbers = rng.standard_normal((10, 6)), rng.random((10, 3, model.limit))
    whole = draw(model, features, 1.0, numbers)
    shares = [np.array([0, 3, 4, 8]), np.array([1, 2, 5, 6, 7, 9])]
    parts = [draw(model, features[share], 1.0, numbers[share]) for share in shares]
    by_image = whole.captions.reshape(10, 3, -1)
    for share, part in zip(shares, parts, strict=True):
        own = part.captions.reshape(len(share), 3, -1)
        assert np.array_equal(own, by_image[share][:, :, : own.shape[2]])
    assert sum(part.nats for part in parts) == pytest.approx(whole.nats, rel=1e-12)


def test_a_caption_is_better_by_how_much_it_is_above_the_mean_of_the_others() -> None:
    rewards = np.array([[1.0, 2.0, 6.0], [0.5, 0.5, 0.5]])
    better = advantages(rewards)
    np.testing.assert_allclose(better[0], [1 - 4, 2 - 3.5, 6 - 1.5], rtol=1e-15)
    assert not better[1].any()


def test_captions_are_spelled_with_their_end() -> None:
    vocabulary = Vocabulary.from_words(["<NULL>", "<START>", "<END>", "a", "cat"])
    spell = speller(vocabulary)
    assert spell(np.array([1, 3, 4, 2, 0])) == ["a", "cat", "<END>"]
    assert spell(np.array([1, 3, 4])) == ["a", "cat"]
    letters = Vocabulary.from_words(["<NULL>", "<START>", "<END>", *"act "], joiner="")
    spell = speller(letters)
    assert spell(np.array([1, 3, 6, 4, 3, 5, 2, 0])) == ["a", "cat", "<END>"]
    assert spell(np.array([1, 3, 6, 4])) == ["a", "c"]
    assert spell(np.array([1, 2, 0])) == ["<END>"]
