"""The attention LSTM against a plain way of writing it, and in a network on feature maps."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import rnnkit
from rnnkit.compat.ie590.attention import (
    attention_backward,
    attention_forward,
    attention_step_backward,
    attention_step_forward,
    dot_product_attention,
)
from rnnkit.compat.ie590.gradient_check import eval_numerical_gradient_array
from rnnkit.data import Vocabulary, open_data
from rnnkit.kinds import Array
from rnnkit.network.builder import assemble
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec
from tests.datafolders import features_path, put, write_data_folder

N, T, D, H, K = 3, 5, 4, 6, 4
RNG = np.random.default_rng(0)
X, IMAGE = RNG.standard_normal((N, T, D)), RNG.standard_normal((N, H, K, K))
WX, WH = RNG.standard_normal((D, 4 * H)), RNG.standard_normal((H, 4 * H))
WATTN, B = RNG.standard_normal((H, 4 * H)), RNG.standard_normal(4 * H)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def plain(x: Array, image: Array) -> Array:
    """One row and one number at a time: the weights of every region, then every gate."""
    h = np.zeros((N, T, H))
    for n in range(N):
        state = np.array([image[n, j].mean() for j in range(H)])
        memory = state.copy()
        for t in range(T):
            regions = [(a, b) for a in range(K) for b in range(K)]
            scores = [sum(state[j] * image[n, j, a, b] for j in range(H)) for a, b in regions]
            weights = [math.exp(s / math.sqrt(H)) for s in scores]
            seen = [
                sum(w * image[n, j, a, b] for w, (a, b) in zip(weights, regions, strict=True))
                / sum(weights)
                for j in range(H)
            ]
            z = x[n, t] @ WX + state @ WH + np.array(seen) @ WATTN + B
            for j in range(H):
                i, f, o = (sigmoid(float(z[k * H + j])) for k in range(3))
                memory[j] = f * memory[j] + i * math.tanh(z[3 * H + j])
                state[j] = o * math.tanh(memory[j])
            h[n, t] = state
    return h


def test_a_sequence_is_what_the_plain_way_gives() -> None:
    h, _ = attention_forward(X, IMAGE, WX, WH, WATTN, B)
    np.testing.assert_allclose(h, plain(X, IMAGE), rtol=1e-12)


def test_gradients_of_a_sequence() -> None:
    _, cache = attention_forward(X, IMAGE, WX, WH, WATTN, B)
    dh = RNG.standard_normal((N, T, H))
    values = [X.copy(), IMAGE.copy(), WX.copy(), WH.copy(), WATTN.copy(), B.copy()]
    for got, value in zip(attention_backward(dh, cache), values, strict=True):
        want = eval_numerical_gradient_array(
            lambda _: attention_forward(*values)[0],
            value,
            dh,
        )
        assert got.shape == value.shape
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)


def test_attention_looks_where_the_state_points() -> None:
    image = np.zeros((1, 2, 2, 2))
    image[0, :, 1, 0] = [0.0, 5.0]
    seen, weights = dot_product_attention(np.array([[0.0, 50.0]]), image)
    assert weights.shape == (1, 2, 2)
    assert weights[0, 1, 0] == pytest.approx(1.0)
    np.testing.assert_allclose(seen, [[0.0, 5.0]])
    even = dot_product_attention(np.zeros((1, 2)), image)
    np.testing.assert_allclose(even[1], np.full((1, 2, 2), 0.25))
    np.testing.assert_allclose(even[0], [[0.0, 1.25]])


def test_a_step_is_a_step_of_the_sequence() -> None:
    h, cache = attention_forward(X[:, :1], IMAGE, WX, WH, WATTN, B)
    h0 = IMAGE.mean(axis=(2, 3))
    attn, _ = dot_product_attention(h0, IMAGE)
    next_h, _, step_cache = attention_step_forward(X[:, 0], h0, h0, attn, WX, WH, WATTN, B)
    np.testing.assert_allclose(next_h, h[:, 0], rtol=1e-12)
    dh = RNG.standard_normal((N, H))
    dx, _, _, _, dWx, dWh, dWattn, db = attention_step_backward(dh, np.zeros_like(dh), step_cache)
    seq = attention_backward(dh[:, None], cache)
    for got, want in zip((dx, dWx, dWh, dWattn, db), (seq[0][:, 0], *seq[2:]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


SPEC = """
[model]
dtype = "float64"
image = { use = "regions", count = 4 }
words = { use = "embedding", dim = 5 }
[[model.rnn]]
hidden = 6
cell = { use = "attention-lstm", regions = 4 }
[train]
epochs = 1
batch = 4
"""


def test_a_network_on_feature_maps_has_right_gradients() -> None:
    model = assemble(parse_spec(SPEC), Sizes(3 * 4, Vocabulary.standard(9), 6))
    assert model.parameters["image.0.W"].shape == (3, 6)
    rng = np.random.default_rng(1)
    captions = rng.integers(4, 9, (3, 6)) * (np.arange(6) < np.array([[6], [3], [4]]))
    captions[:, 0] = 1
    features = rng.standard_normal((3, 12))
    _, gradients = model.loss_and_gradients(features, captions)
    for name, w in model.parameters.items():
        v = rng.standard_normal(w.shape)
        moved: dict[str, Any] = {n: w.astype(complex) for n, w in model.parameters.items()}
        moved[name] += 1e-30j * v
        slope = model.with_parameters(moved).evaluate(features, captions, backward=False)[0].imag
        assert np.sum(gradients[name] * v) == pytest.approx(slope / 1e-30, rel=1e-11), name


@pytest.mark.parametrize("limit", [0, 2**20], ids=["by rows", "held"])
def test_feature_maps_are_read_flat_trained_on_and_captioned(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", limit)
    folder = write_data_folder(tmp_path / "data")
    maps = {}
    for split in ("train", "val"):
        path = features_path(folder, split)
        with h5py.File(path) as file:
            count = len(file["features"])
        maps[split] = np.random.default_rng(2).standard_normal((count, 3, 2, 2))
        put(path, "features", maps[split].astype(np.float32))
    with open_data(folder) as data:
        features = data.split("train").features
        assert features.shape == (len(maps["train"]), 12)
        rows = features.rows(np.array([2, 0, 2]), np.dtype(np.float64))
        np.testing.assert_allclose(rows, maps["train"][[2, 0, 2]].reshape(3, 12), rtol=1e-6)
    (tmp_path / "maps.toml").write_text(SPEC)
    run = rnnkit.train(tmp_path / "maps.toml", folder, tmp_path / "run")
    with open_data(folder) as data:
        rows = data.split("val").features.rows(np.arange(2), run.model.dtype)
        assert rnnkit.load(run.folder).caption(rows) == run.model.caption(rows)
