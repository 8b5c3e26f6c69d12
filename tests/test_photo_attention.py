"""Where a network looked in a photo at each word."""

from __future__ import annotations

import numpy as np

from rnnkit.captioning.attention import attention
from rnnkit.data import END, NULL, START, Vocabulary
from rnnkit.describing.report.photos import LOOK, _lit
from rnnkit.network.builder import assemble
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec
from rnnkit_builtin.cells.attention_lstm import AttentionState

SPEC = """
format = 1
[model]
seed = 3
dtype = "float64"
image = [{ use = "regions", count = 6, units = 4 }]
words = { use = "embedding", dim = 5 }
[[model.rnn]]
hidden = 4
cell = CELL
"""

WORDS = Vocabulary.from_words([NULL, START, END, "boat", "sea", "two"])


def test_each_word_has_the_weights_of_the_step_that_chose_it() -> None:
    cell = '{ use = "attention-lstm", regions = 6 }'
    model = assemble(parse_spec(SPEC.replace("CELL", cell)), Sizes(18, WORDS, 8))
    for name, value in model.parameters.items():  # large, so that weights differ from word to word
        value[...] = np.random.default_rng(len(name)).normal(size=value.shape)
    features = np.random.default_rng(0).normal(size=(1, 18))
    found = list(attention(model, features, "two boat sea"))
    assert [word for word, _ in found] == ["two", "boat", "sea"]

    memory = model.begin(features)
    for (_, weights), token in zip(found, [1, 5, 3], strict=True):
        (state,) = memory.states
        assert isinstance(state, AttentionState)
        scores = state.h[0] @ state.A[0] / np.sqrt(4)
        np.testing.assert_allclose(weights, np.exp(scores) / np.exp(scores).sum(), rtol=1e-12)
        _, memory = model.step(np.array([token]), memory)
    assert np.ptp([weights[0] for _, weights in found]) > 1e-3


def test_a_network_that_does_not_look_at_regions_says_nothing() -> None:
    text = SPEC.replace("CELL", '"lstm"').replace(
        '{ use = "regions", count = 6, units = 4 }', '"affine"'
    )
    model = assemble(parse_spec(text), Sizes(18, WORDS, 8))
    assert list(attention(model, np.ones((1, 18)), "two boat")) == []


def test_the_picture_is_bright_where_the_weight_is() -> None:
    import base64
    import io

    from PIL import Image

    white = np.full((224, 224, 3), 255, np.uint8)
    weights = np.zeros((7, 7))
    weights[1, 5] = 0.5
    data = _lit(white, weights).partition("base64,")[2]
    lit = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))
    cell = LOOK // 7
    assert lit[1 * cell + cell // 2, 5 * cell + cell // 2] > 240
    assert lit[5 * cell, 1 * cell] < 60
