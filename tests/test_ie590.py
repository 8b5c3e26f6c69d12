"""The assignment's notebook, cell by cell, through `rnnkit.compat.ie590`: what it prints, and what it relies on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from rnnkit.compat.ie590 import optim, rnn_layers
from rnnkit.compat.ie590.captioning_solver import CaptioningSolver
from rnnkit.compat.ie590.classifiers.rnn import CaptioningRNN
from rnnkit.compat.ie590.coco_utils import (
    Data,
    decode_captions,
    load_coco_data,
    sample_coco_minibatch,
)
from rnnkit.compat.ie590.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
)
from rnnkit.compat.ie590.image_utils import image_from_url
from rnnkit.compat.ie590.layers import (
    affine_backward,
    affine_forward,
    affine_relu_backward,
    affine_relu_forward,
    softmax_loss,
)
from rnnkit.compat.ie590.rnn_layers import (
    lstm_backward,
    lstm_forward,
    lstm_step_backward,
    lstm_step_forward,
    rnn_backward,
    rnn_forward,
    rnn_step_backward,
    rnn_step_forward,
    sigmoid,
    temporal_affine_backward,
    temporal_affine_forward,
    temporal_softmax_loss,
    word_embedding_backward,
    word_embedding_forward,
)
from rnnkit.errors import DataError
from rnnkit.kinds import Array, Ints
from rnnkit.testing import check
from tests.assignment import SEQUENCE, ramp, rel_error
from tests.datafolders import features_path, into_shards, write_data_folder

TOLERABLE = 1e-6
"""Of a numerical gradient by central differences, where the notebook prints less."""


def gradient_errors(
    f: Callable[..., Array], arrays: Sequence[Array], dout: Array, gradients: tuple[Array, ...]
) -> list[float]:
    """The relative error of each array's gradient, the arrays changed in place as the notebook does."""
    numeric = [eval_numerical_gradient_array(lambda _: f(*arrays), a, dout) for a in arrays]
    return [rel_error(n, g) for n, g in zip(numeric, gradients, strict=True)]


def test_a_star_import_gives_every_layer() -> None:
    names: dict[str, object] = {}
    exec("from rnnkit.compat.ie590.rnn_layers import *", names)
    assert set(rnn_layers.__all__) <= set(names)
    assert {"lstm_step_backward", "temporal_softmax_loss", "sigmoid"} <= set(names)


# Cells 5 to 12: layers.


@pytest.mark.parametrize(
    ("use_tanh", "expected", "printed"),
    [
        (
            True,
            [
                [-0.58172089, -0.50182032, -0.41232771, -0.31410098],
                [0.66854692, 0.79562378, 0.87755553, 0.92795967],
                [0.97934501, 0.99144213, 0.99646691, 0.99854353],
            ],
            6.292421426471037e-09,
        ),
        (
            False,
            [
                [0.3396039, 0.36546169, 0.3921193, 0.41943607],
                [0.69170684, 0.74773577, 0.79657666, 0.83801004],
                [0.90731492, 0.93847897, 0.95963077, 0.97371398],
            ],
            4.820744797197939e-09,
        ),
    ],
    ids=["tanh", "sigmoid"],
)
def test_cell_5_one_step(use_tanh: bool, expected: list[list[float]], printed: float) -> None:
    N, D, H = 3, 10, 4
    next_h, _ = rnn_step_forward(
        ramp(-0.4, 0.7, N, D),
        ramp(-0.2, 0.5, N, H),
        ramp(-0.1, 0.9, D, H),
        ramp(-0.3, 0.7, H, H),
        ramp(-0.2, 0.4, H),
        use_tanh=use_tanh,
    )
    assert rel_error(np.array(expected), next_h) == pytest.approx(printed, rel=1e-5)


@pytest.mark.parametrize("use_tanh", [True, False])
def test_cell_6_one_step_back(use_tanh: bool) -> None:
    np.random.seed(590)
    N, D, H = 5, 6, 7
    x, h, Wx, Wh, b = (np.random.randn(*s) for s in ((N, D), (N, H), (D, H), (H, H), (H,)))
    out, cache = rnn_step_forward(x, h, Wx, Wh, b, use_tanh=use_tanh)
    dnext_h = np.random.randn(*out.shape)
    errors = gradient_errors(
        lambda x, h, Wx, Wh, b: rnn_step_forward(x, h, Wx, Wh, b, use_tanh)[0],
        (x, h, Wx, Wh, b),
        dnext_h,
        rnn_step_backward(dnext_h, cache, use_tanh),
    )
    assert max(errors) < TOLERABLE


def test_cell_7_a_sequence() -> None:
    N, T, D, H = 2, 4, 5, 6
    h, _ = rnn_forward(
        ramp(-0.2, 0.1, N, T, D),
        ramp(-0.2, 0.2, N, H),
        ramp(-0.3, 0.5, D, H),
        ramp(-0.4, 0.3, H, H),
        ramp(-0.5, 0.4, H),
    )
    assert rel_error(SEQUENCE, h) == pytest.approx(4.641478091199054e-08, rel=1e-5)


@pytest.mark.parametrize("use_tanh", [True, False])
def test_cell_8_a_sequence_back(use_tanh: bool) -> None:
    np.random.seed(590)
    N, D, T, H = 2, 4, 12, 6
    x, h0, Wx, Wh, b = (np.random.randn(*s) for s in ((N, T, D), (N, H), (D, H), (H, H), (H,)))
    out, cache = rnn_forward(x, h0, Wx, Wh, b, use_tanh)
    dout = np.random.randn(*out.shape)
    errors = gradient_errors(
        lambda x, h0, Wx, Wh, b: rnn_forward(x, h0, Wx, Wh, b, use_tanh)[0],
        (x, h0, Wx, Wh, b),
        dout,
        rnn_backward(dout, cache, use_tanh),
    )
    assert max(errors) < TOLERABLE


def test_cell_9_word_embedding() -> None:
    V, D = 6, 4
    tokens = np.array([[0, 3, 1, 4, 2, 0], [2, 4, 1, 0, 3, 4]])
    out, _ = word_embedding_forward(tokens, ramp(0, 1, V, D))
    printed = [  # the rows of W, to eight digits
        [0.0, 0.04347826, 0.08695652, 0.13043478],
        [0.17391304, 0.2173913, 0.26086957, 0.30434783],
        [0.34782609, 0.39130435, 0.43478261, 0.47826087],
        [0.52173913, 0.56521739, 0.60869565, 0.65217391],
        [0.69565217, 0.73913043, 0.7826087, 0.82608696],
    ]
    expected = np.array(printed)[tokens]
    assert rel_error(expected, out) == pytest.approx(1.0000000112083678e-08, rel=1e-5)


def test_cell_10_word_embedding_back() -> None:
    np.random.seed(590)
    N, T, V, D = 40, 4, 6, 8
    x = np.random.randint(V, size=(N, T))
    W = np.random.randn(V, D)
    out, cache = word_embedding_forward(x, W)
    dout = np.random.randn(*out.shape)
    dW = word_embedding_backward(dout, cache)
    numeric = eval_numerical_gradient_array(lambda W: word_embedding_forward(x, W)[0], W, dout)
    assert rel_error(dW, numeric) < 1e-11


def test_cells_11_and_12_temporal_layers(capsys: pytest.CaptureFixture[str]) -> None:
    # Cell 12 draws where cell 11 stopped.
    np.random.seed(590)
    N, T, D, M = 2, 4, 5, 6
    arrays = [np.random.randn(*s) for s in ((N, T, D), (D, M), (M,))]
    out, cache = temporal_affine_forward(*arrays)
    dout = np.random.randn(*out.shape)
    errors = gradient_errors(
        lambda *a: temporal_affine_forward(*a)[0],
        arrays,
        dout,
        temporal_affine_backward(dout, cache),
    )
    assert max(errors) < 1e-9

    def loss_of_noise(N: int, T: int, V: int, p: float) -> float:
        x = 0.001 * np.random.randn(N, T, V)
        y = np.random.randint(V, size=(N, T))
        mask = np.random.rand(N, T) <= p
        return temporal_softmax_loss(x, y, mask)[0]

    assert loss_of_noise(100, 1, 10, 1.0) == pytest.approx(2.3023015400095255, abs=1e-11)
    assert loss_of_noise(100, 10, 10, 1.0) == pytest.approx(23.026219922871423, abs=1e-11)
    assert loss_of_noise(5000, 10, 10, 0.1) == pytest.approx(2.3066946397001176, abs=1e-11)

    N, T, V = 80, 1, 12
    x = np.random.randn(N, T, V)
    y = np.random.randint(V, size=(N, T))
    mask = np.random.rand(N, T) > 0.5
    _, dx = temporal_softmax_loss(x, y, mask, verbose=False)
    assert capsys.readouterr().out == ""
    numeric = eval_numerical_gradient(
        lambda x: temporal_softmax_loss(x, y, mask)[0], x, verbose=False
    )
    assert rel_error(dx, numeric) < TOLERABLE
    temporal_softmax_loss(x, y, mask, verbose=True)
    assert capsys.readouterr().out == f"dx_flat:  ({N * T}, {V})\n"


def test_a_masked_position_may_underflow() -> None:
    x = np.array([[[0.0, -2000.0], [1.0, 2.0]]])
    loss, dx = temporal_softmax_loss(x, np.array([[1, 1]]), np.array([[False, True]]))
    assert loss == pytest.approx(np.log1p(np.exp(-1.0)), abs=1e-15)
    assert (dx[0, 0] == 0).all()
    assert np.isfinite(dx).all()


def test_numerical_gradients_restore_what_they_change(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.array([1.0, 2.0])
    before = x.copy()
    gradient = eval_numerical_gradient(lambda x: float((x**2).sum()), x)
    assert gradient == pytest.approx([2.0, 4.0], abs=1e-9)
    assert (x == before).all()
    assert [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["(0,)", "(1,)"]


# Cells 13 and 14: the network.

ANIMALS = {"<NULL>": 0, "cat": 2, "dog": 3}  # three words, one of them with an index beyond them


def fixed(cell_type: str, input_dim: int, wordvec_dim: int, hidden_dim: int) -> CaptioningRNN:
    model = CaptioningRNN(ANIMALS, input_dim, wordvec_dim, hidden_dim, cell_type, np.float64)
    for k, v in model.params.items():
        model.params[k] = ramp(-1.4, 1.3, *v.shape)
    return model


def counting(N: int, T: int) -> Ints:
    return (np.arange(N * T) % len(ANIMALS)).reshape(N, T)


def test_cell_13_the_loss() -> None:
    N, D, T = 16, 18, 12
    loss, _ = fixed("rnn", D, 36, 48).loss(ramp(-1.5, 0.3, N, D), counting(N, T))
    assert loss == pytest.approx(9.696715448942058, abs=1e-11)


def test_the_loss_of_the_lstm() -> None:
    N, D, T = 10, 20, 13
    loss, _ = fixed("lstm", D, 30, 40).loss(ramp(-0.5, 1.7, N, D), counting(N, T))
    assert loss == pytest.approx(9.82445935443, abs=1e-11)


@pytest.mark.parametrize(("cell_type", "use_tanh"), [("rnn", True), ("rnn", False), ("lstm", True)])
def test_cell_14_gradients_of_the_network(cell_type: str, use_tanh: bool) -> None:
    np.random.seed(590)
    captions = np.random.randint(len(ANIMALS), size=(3, 4))
    features = np.random.randn(3, 4)
    model = CaptioningRNN(ANIMALS, 4, 5, 8, cell_type, np.float64, use_tanh)
    _, grads = model.loss(features, captions)
    assert grads.keys() == model.params.keys()
    for name in sorted(grads):
        numeric = eval_numerical_gradient(
            lambda _: model.loss(features, captions)[0],
            model.params[name],
            verbose=False,
            h=1e-6,
        )
        # Rounding of the loss over 2 h is 3e-10, where some gradients are 1e-5 and less.
        assert np.abs(numeric - grads[name]).max() < 1e-9, name
        if cell_type == "rnn" and use_tanh:
            assert rel_error(numeric, grads[name]) < 5e-6, name


def test_parameters_are_drawn_in_the_assignments_order() -> None:
    D, W, H, V = 4, 5, 6, len(ANIMALS)
    np.random.seed(0)
    model = CaptioningRNN(ANIMALS, D, W, H, "lstm")
    np.random.seed(0)
    expected = {
        "W_embed": np.random.randn(V, W) / 100,
        "W_proj": np.random.randn(D, H) / np.sqrt(D),
        "b_proj": np.zeros(H),
        "Wx": np.random.randn(W, 4 * H) / np.sqrt(W),
        "Wh": np.random.randn(H, 4 * H) / np.sqrt(H),
        "b": np.zeros(4 * H),
        "W_vocab": np.random.randn(H, V) / np.sqrt(H),
        "b_vocab": np.zeros(V),
    }
    assert list(model.params) == list(expected)
    for name, w in expected.items():
        assert model.params[name].dtype == np.float32
        assert (model.params[name] == w.astype(np.float32)).all()
    assert model.idx_to_word == {0: "<NULL>", 2: "cat", 3: "dog"}


def test_another_cell_type_is_refused() -> None:
    with pytest.raises(ValueError, match="gru"):
        CaptioningRNN(ANIMALS, cell_type="gru")


def test_parameters_of_another_type_are_computed_with_in_that_type() -> None:
    single = CaptioningRNN(ANIMALS, 4, 5, 6)
    double = CaptioningRNN(ANIMALS, 4, 5, 6, dtype=np.float64)
    for name, w in single.params.items():
        single.params[name] = double.params[name] = w.astype(np.float64)
    features, captions = np.random.default_rng(0).standard_normal((2, 4)), counting(2, 5)
    assert single.loss(features, captions)[0] == double.loss(features, captions)[0]


SPECIAL = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "a": 4, "cow": 5}


def test_sampling_is_greedy_and_goes_on_after_the_end() -> None:
    np.random.seed(1)
    model = CaptioningRNN(SPECIAL, 4, 5, 6, "rnn", np.float64)
    model.params["W_embed"] = np.random.randn(len(SPECIAL), 5)
    features = np.random.randn(7, 4)
    p = model.params
    h, words = features @ p["W_proj"] + p["b_proj"], np.ones(7, int)
    expected = []
    for _ in range(9):
        h = np.tanh(p["W_embed"][words] @ p["Wx"] + h @ p["Wh"] + p["b"])
        words = (h @ p["W_vocab"] + p["b_vocab"]).argmax(axis=1)
        expected.append(words)
    captions = model.sample(features, max_length=9)
    assert captions.dtype == np.int32
    assert (captions == np.stack(expected, axis=1)).all()
    assert model.sample(features).shape == (7, 30)
    model.params["b_vocab"][2] = 1e3
    assert (model.sample(features) == 2).all()


def test_sampling_needs_a_word_to_begin_with() -> None:
    with pytest.raises(ValueError, match="<START>"):
        CaptioningRNN(ANIMALS, 4).sample(np.zeros((1, 4)))


# The LSTM, beside one written plainly.


def plain_lstm_step(
    x: Array, h: Array, c: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, Array]:
    i, f, o, g = np.split(x @ Wx + h @ Wh + b, 4, axis=1)
    i, f, o = (1.0 / (1.0 + np.exp(-z)) for z in (i, f, o))
    c = f * c + i * np.tanh(g)
    return o * np.tanh(c), c


def test_one_step_of_the_lstm() -> None:
    rng = np.random.default_rng(231)
    N, D, H = 4, 5, 6
    shapes = ((N, D), (N, H), (N, H), (D, 4 * H), (H, 4 * H), (4 * H,))
    arrays = [rng.standard_normal(s) for s in shapes]
    h, c, cache = lstm_step_forward(*arrays)
    expected = plain_lstm_step(*arrays)
    assert rel_error(h, expected[0]) < 1e-13
    assert rel_error(c, expected[1]) < 1e-13
    dh, dc = rng.standard_normal((2, N, H))
    errors = gradient_errors(
        lambda *a: np.concatenate(plain_lstm_step(*a)),
        arrays,
        np.concatenate([dh, dc]),
        lstm_step_backward(dh, dc, cache),
    )
    assert max(errors) < TOLERABLE


def test_a_sequence_of_the_lstm() -> None:
    rng = np.random.default_rng(231)
    N, D, T, H = 2, 3, 10, 6
    shapes = ((N, T, D), (N, H), (D, 4 * H), (H, 4 * H), (4 * H,))
    arrays = [rng.standard_normal(s) for s in shapes]

    def plain(x: Array, h: Array, Wx: Array, Wh: Array, b: Array) -> Array:
        c, out = np.zeros_like(h), []
        for t in range(T):
            h, c = plain_lstm_step(x[:, t], h, c, Wx, Wh, b)
            out.append(h)
        return np.stack(out, axis=1)

    h, cache = lstm_forward(*arrays)
    assert rel_error(h, plain(*arrays)) < 1e-12
    dout = rng.standard_normal(h.shape)
    errors = gradient_errors(plain, arrays, dout, lstm_backward(dout, cache))
    assert max(errors) < TOLERABLE


RNN = {"Wx": (3, 4), "Wh": (4, 4), "b": (4,)}
GATES = {"Wx": (3, 16), "Wh": (4, 16), "b": (16,)}
PAIRS: dict[
    str, tuple[Callable[..., object], Callable[..., object], dict[str, tuple[int, ...]]]
] = {
    "rnn step": (rnn_step_forward, rnn_step_backward, {"x": (2, 3), "prev_h": (2, 4), **RNN}),
    "rnn": (rnn_forward, rnn_backward, {"x": (2, 5, 3), "h0": (2, 4), **RNN}),
    "lstm step": (
        lstm_step_forward,
        lstm_step_backward,
        {"x": (2, 3), "prev_h": (2, 4), "prev_c": (2, 4), **GATES},
    ),
    "lstm": (lstm_forward, lstm_backward, {"x": (2, 5, 3), "h0": (2, 4), **GATES}),
    "temporal affine": (
        temporal_affine_forward,
        temporal_affine_backward,
        {"x": (2, 5, 3), "w": (3, 4), "b": (4,)},
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_the_harness_finds_every_pair_right(pair: str) -> None:
    forward, backward, shapes = PAIRS[pair]
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    assert check(forward, backward, **arrays) < 1e-13
    if pair.startswith("rnn"):
        assert check(forward, backward, **arrays, use_tanh=False) < 1e-13


def test_the_sigmoid_is_stable() -> None:
    y = sigmoid(np.array([-1e4, -1.0, 0.0, 1e4]))
    assert y == pytest.approx([0.0, 1 / (1 + np.e), 0.5, 1.0], abs=1e-15)


# The layers of the assignments before.


def test_affine_layers_flatten_what_they_are_given() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in ((3, 2, 4), (8, 5), (5,))]
    dout = rng.standard_normal((3, 5))
    out, cache = affine_forward(*arrays)
    assert out == pytest.approx(arrays[0].reshape(3, 8) @ arrays[1] + arrays[2])
    back = affine_backward(dout, cache)
    assert max(gradient_errors(lambda *a: affine_forward(*a)[0], arrays, dout, back)) < TOLERABLE
    out, relu_cache = affine_relu_forward(*arrays)
    assert out.min() == 0
    back = affine_relu_backward(dout, relu_cache)
    errors = gradient_errors(lambda *a: affine_relu_forward(*a)[0], arrays, dout, back)
    assert max(errors) < TOLERABLE


def test_softmax_loss_is_a_mean() -> None:
    x, y = np.random.default_rng(0).standard_normal((4, 3)), np.array([0, 2, 1, 1])
    loss, dx = softmax_loss(x, y)
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-np.log(p[np.arange(4), y]).mean())
    assert dx == pytest.approx((p - np.eye(3)[y]) / 4)


# Update rules, beside their formulas.


def updates(rule: str, config: dict[str, object], steps: int = 20) -> tuple[Array, Array]:
    """w after some updates with a decaying rate: the rule's, and by the formulas of CS231n."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((3, 4))
    plain = w.copy()
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        dw = rng.standard_normal(w.shape)
        w, config = getattr(optim, rule)(w, dw, config)
        lr = 0.1 * 0.9 ** (t - 1)
        if rule == "sgd":
            plain -= lr * dw
        elif rule == "sgd_momentum":
            v = 0.9 * v - lr * dw
            plain += v
        elif rule == "rmsprop":
            v = 0.99 * v + 0.01 * dw**2
            plain -= lr * dw / (np.sqrt(v) + 1e-8)
        else:
            m, v = 0.9 * m + 0.1 * dw, 0.999 * v + 0.001 * dw**2
            rate = lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            plain -= rate * m / (np.sqrt(v) + 1e-8)
        config["learning_rate"] = lr * 0.9
    return w, plain


@pytest.mark.parametrize("rule", optim.__all__)
def test_update_rules(rule: str) -> None:
    w, plain = updates(rule, {"learning_rate": 0.1})
    assert np.abs(w - plain).max() < 1e-14


@pytest.mark.parametrize("rule", optim.__all__)
def test_update_rules_have_the_assignments_defaults(rule: str) -> None:
    _, config = getattr(optim, rule)(np.ones(2), np.ones(2))
    assert config["learning_rate"] == (1e-3 if rule == "adam" else 1e-2)


# Data.


@pytest.mark.parametrize("assignment", [True, False])
def test_a_folder_becomes_a_dict(tmp_path: Path, assignment: bool) -> None:
    folder = write_data_folder(tmp_path / "data", assignment=assignment, raw=True)
    data = load_coco_data(folder)
    assert list(data) == [
        "train_captions",
        "train_image_idxs",
        "val_captions",
        "val_image_idxs",
        "train_features",
        "val_features",
        "idx_to_word",
        "word_to_idx",
        "train_urls",
        "val_urls",
    ]
    assert data["train_captions"].shape == (12, 8)
    assert data["train_features"].dtype == np.float32
    assert data["train_urls"].dtype.kind == "U"
    assert data["val_urls"][1] == "https://example.org/val1.png"
    raw = load_coco_data(folder, pca_features=False)
    assert raw["train_features"].shape[1] == 2 * data["train_features"].shape[1]


def test_shards_of_features_are_read_as_one_array(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path, assignment=True, images=5)
    whole = load_coco_data(folder)["train_features"]
    into_shards(features_path(folder, "train"), 2, 3)
    np.testing.assert_array_equal(load_coco_data(folder)["train_features"], whole, strict=True)


def test_max_train_draws_captions_and_leaves_features(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data", assignment=True)
    whole = load_coco_data(folder)
    np.random.seed(3)
    small = load_coco_data(folder, max_train=5)
    np.random.seed(3)
    chosen = np.random.randint(12, size=5)
    for name in ("train_captions", "train_image_idxs"):
        assert (small[name] == whole[name][chosen]).all()
    for name in ("train_features", "train_urls", "val_captions"):
        assert len(small[name]) == len(whole[name])


def test_a_folder_of_scenes_has_paths_for_addresses(tiny_data: Path) -> None:
    data = load_coco_data(tiny_data)
    picture = image_from_url(data["val_urls"][0])
    assert picture is not None
    assert picture.shape[-1] == 3
    assert picture.dtype == np.uint8


def test_a_missing_folder_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"coco2014_captions\.h5 does not exist"):
        load_coco_data(tmp_path)


@pytest.mark.parametrize("spelling", ["idxs", "idxes"])
def test_batches_are_drawn_with_replacement(tmp_path: Path, spelling: str) -> None:
    folder = write_data_folder(tmp_path / "data", assignment=True)
    if spelling == "idxes":
        with h5py.File(folder / "coco2014_captions.h5", "r+") as file:
            file.move("val_image_idxs", "val_image_idxes")
    data = load_coco_data(folder)
    np.random.seed(5)
    captions, features, urls = sample_coco_minibatch(data, batch_size=20, split="val")
    np.random.seed(5)
    chosen = np.random.choice(12, 20)
    images = data[f"val_image_{spelling}"][chosen]
    assert (captions == data["val_captions"][chosen]).all()
    assert (features == data["val_features"][images]).all()
    assert (urls == data["val_urls"][images]).all()


def test_captions_in_words_keep_their_start() -> None:
    words = list(SPECIAL)
    caption = np.array([1, 4, 0, 5, 2, 4])
    assert decode_captions(caption, words) == "<START> a cow <END>"
    assert decode_captions(caption[None, 1:], words) == ["a cow <END>"]


def test_a_picture_that_cannot_be_had_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert image_from_url("http://localhost:9/cow.jpg") is None
    assert capsys.readouterr().out.startswith("URL Error: ")


# Training.


def coco_like(captions: int = 500, V: int = 1004, T: int = 17) -> Data:
    """A random caption for each of some random images, in the sizes of the assignment's data."""
    rng = np.random.default_rng(0)
    share = 1.0 / np.arange(3, V)
    share /= share.sum()  # Zipf's law
    tokens = np.zeros((captions, T), np.int32)
    for row in tokens:
        k = int(rng.integers(8, T - 4))
        row[0], row[1 : k + 1], row[k + 1] = 1, rng.choice(np.arange(3, V), k, p=share), 2
    words = ["<NULL>", "<START>", "<END>", "<UNK>", *(f"w{i}" for i in range(4, V))]
    return {
        "train_captions": tokens,
        "train_image_idxs": rng.permutation(captions).astype(np.int32),
        "train_features": rng.standard_normal((captions, 512), np.float32),
        "train_urls": np.array([f"https://example.org/{i}" for i in range(captions)]),
        "word_to_idx": {word: token for token, word in enumerate(words)},
        "idx_to_word": words,
    }


def overfit(data: Data, use_tanh: bool, epochs: int) -> CaptioningSolver:
    """Cells 15 and 19: 50 captions, 512 hidden units."""
    np.random.seed(590)
    chosen = np.random.randint(len(data["train_captions"]), size=50)
    small = data | {k: data[k][chosen] for k in ("train_captions", "train_image_idxs")}
    model = CaptioningRNN(
        cell_type="rnn",
        word_to_idx=data["word_to_idx"],
        input_dim=data["train_features"].shape[1],
        hidden_dim=512,
        wordvec_dim=256,
        use_tanh=use_tanh,
    )
    solver = CaptioningSolver(
        model,
        small,
        update_rule="adam",
        num_epochs=epochs,
        batch_size=25,
        optim_config={"learning_rate": 5e-3},
        lr_decay=0.95,
    )
    solver.train()
    return solver


def test_cell_15_fifty_captions_are_learnt_by_heart(capsys: pytest.CaptureFixture[str]) -> None:
    data = coco_like()
    solver = overfit(data, use_tanh=True, epochs=50)
    assert len(solver.loss_history) == 100
    assert solver.loss_history[-1] < 0.1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"(Iteration 11 / 100) loss: {solver.loss_history[10]:f}"
    assert len(lines) == 10
    captions, features, _ = sample_coco_minibatch(solver.data, 10)
    said = decode_captions(solver.model.sample(features), data["idx_to_word"])
    told = decode_captions(captions, data["idx_to_word"])
    assert sum(f"<START> {s}" == t for s, t in zip(said, told, strict=True)) >= 5


@pytest.mark.heavy
def test_cell_15_on_photographs(real_data: Path) -> None:
    data = load_coco_data(real_data / "coco_mini_cs231n")
    assert overfit(data, use_tanh=True, epochs=50).loss_history[-1] < 0.1


def test_cell_19_the_sigmoid_is_far_behind(capsys: pytest.CaptureFixture[str]) -> None:
    solver = overfit(coco_like(), use_tanh=False, epochs=20)
    assert solver.loss_history[-1] > 20


def small_solver(**options: object) -> CaptioningSolver:
    data = coco_like(captions=7, V=20)
    model = CaptioningRNN(data["word_to_idx"], hidden_dim=4, wordvec_dim=3)
    return CaptioningSolver(model, data, **options)  # type: ignore[arg-type]  # options of any kind


def test_the_learning_rate_decays_at_the_end_of_each_epoch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    solver = small_solver(batch_size=3, num_epochs=3, lr_decay=0.5, print_every=4)
    solver.train()
    assert (solver.epoch, len(solver.loss_history)) == (3, 6)
    assert [c["learning_rate"] for c in solver.optim_configs.values()] == [1e-2 / 8] * 8
    out = capsys.readouterr().out.splitlines()
    assert [line.split(" loss")[0] for line in out] == ["(Iteration 1 / 6)", "(Iteration 5 / 6)"]


def test_an_epoch_has_at_least_one_iteration(capsys: pytest.CaptureFixture[str]) -> None:
    solver = small_solver(batch_size=100, num_epochs=2, verbose=False)
    solver.train()
    assert len(solver.loss_history) == 2
    assert capsys.readouterr().out == ""


def test_nothing_is_validated() -> None:
    solver = small_solver(num_epochs=1, verbose=False)
    solver.train()
    assert (solver.best_val_acc, solver.best_params) == (0, {})
    assert solver.train_acc_history == solver.val_acc_history == []
    assert solver.check_accuracy(None, None) == 0.0


def test_options_are_not_shared_between_parameters() -> None:
    options = {"learning_rate": 0.5}
    solver = small_solver(update_rule="adam", optim_config=options, verbose=False)
    solver.train()
    assert options == {"learning_rate": 0.5}
    ms = [config["m"].shape for config in solver.optim_configs.values()]
    assert ms == [w.shape for w in solver.model.params.values()]


@pytest.mark.parametrize("options", [{"update_rule": "newton"}, {"update_rule": "np"}, {"lr": 1}])
def test_what_the_solver_does_not_know_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"newton|np|lr"):
        small_solver(**options)


def test_the_vocabulary_file_is_read_whole(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data", assignment=True)
    path = folder / "coco2014_vocab.json"
    content = json.loads(path.read_text(encoding="utf-8")) | {"source": "here"}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert load_coco_data(folder)["source"] == "here"
