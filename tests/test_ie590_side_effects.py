"""What the functions of `rnnkit.compat.ie590` do beside returning a value: as the assignment's do, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from rnnkit.compat.ie590 import attention, coco_utils, layers, optim, rnn_layers
from rnnkit.compat.ie590.captioning_solver import CaptioningSolver
from rnnkit.compat.ie590.classifiers.rnn import CaptioningRNN
from rnnkit.compat.ie590.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
)
from rnnkit.compat.ie590.image_utils import image_from_url
from rnnkit.kinds import Array
from tests.datafolders import write_data_folder

A = TypeVar("A", bound=npt.NDArray[Any])
Shapes: TypeAlias = dict[str, tuple[int, ...]]


def noise(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape)


def random_state() -> tuple[bytes, int]:
    """Where NumPy's global generator stands."""
    state = np.random.get_state(legacy=False)["state"]
    return state["key"].tobytes(), state["pos"]


# Layers: nothing that comes in is changed, nothing that goes out is anybody else's.

VANILLA: Shapes = {"Wx": (3, 4), "Wh": (4, 4), "b": (4,)}
GATES: Shapes = {"Wx": (3, 16), "Wh": (4, 16), "b": (16,)}
STATE: Shapes = {"x": (2, 3), "prev_h": (2, 4)}
ATTENTION: Shapes = {"Wx": (3, 16), "Wh": (4, 16), "Wattn": (4, 16), "b": (16,)}
LAYERS: dict[str, Shapes] = {
    "rnn_layers.rnn_step": {**STATE, **VANILLA},
    "rnn_layers.rnn": {"x": (2, 5, 3), "h0": (2, 4), **VANILLA},
    "rnn_layers.lstm_step": {**STATE, "prev_c": (2, 4), **GATES},
    "rnn_layers.lstm": {"x": (2, 5, 3), "h0": (2, 4), **GATES},
    "rnn_layers.word_embedding": {"x": (2, 5), "W": (6, 3)},
    "rnn_layers.temporal_affine": {"x": (2, 5, 3), "w": (3, 4), "b": (4,)},
    "layers.affine": {"x": (2, 5, 3), "w": (15, 4), "b": (4,)},
    "layers.relu": {"x": (2, 5)},
    "layers.affine_relu": {"x": (2, 5, 3), "w": (15, 4), "b": (4,)},
    "attention.attention_step": {**STATE, "prev_c": (2, 4), "attn": (2, 4), **ATTENTION},
    "attention.attention": {"x": (2, 5, 3), "A": (2, 4, 2, 2), **ATTENTION},
}
MODULES = {"rnn_layers": rnn_layers, "layers": layers, "attention": attention}


def locked(a: A) -> A:
    a.flags.writeable = False
    return a


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_change_nothing_and_return_arrays_of_their_own(layer: str) -> None:
    module, _, name = layer.partition(".")
    forward: Callable[..., Any] = getattr(MODULES[module], f"{name}_forward")
    backward: Callable[..., Any] = getattr(MODULES[module], f"{name}_backward")
    before = random_state()
    inputs: list[Any] = [locked(noise(*shape)) for shape in LAYERS[layer].values()]
    if name == "word_embedding":
        inputs[0] = locked(np.arange(10).reshape(2, 5) % 6)
    *outs, cache = forward(*inputs)
    douts = [locked(noise(*out.shape)) for out in outs]
    gradients = backward(*douts, cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    kept = [g.copy() for g in gradients]
    again = backward(*douts, cache)  # a cache serves any number of times
    again = again if isinstance(again, tuple) else (again,)
    for gradient, first, second in zip(gradients, kept, again, strict=True):
        assert (gradient == first).all()
        assert (second == first).all()
    made = [*outs, *gradients]
    for i, a in enumerate(made):
        assert a.flags.writeable
        others = [*inputs, *douts, *made[:i]]
        assert not any(np.shares_memory(a, other) for other in others)
    assert random_state() == before


def test_feed_forward_layers_keep_what_they_are_given_in_their_cache() -> None:
    x, w, b = noise(2, 3), noise(3, 4), noise(4)
    _, cache = layers.affine_forward(x, w, b)
    assert all(kept is given for kept, given in zip(cache, (x, w, b), strict=True))
    assert layers.relu_forward(x)[1] is x
    tokens = np.array([[0, 2]])
    _, embedded = rnn_layers.word_embedding_forward(tokens, w)
    assert embedded[0] is tokens
    assert embedded[1] is w


def test_losses_and_activations_leave_their_arguments() -> None:
    before = random_state()
    x, y = locked(noise(2, 3, 4)), locked(np.array([[0, 1, 2], [3, 2, 1]]))
    mask = locked(np.array([[True, True, False], [True, False, False]]))
    _, dx = rnn_layers.temporal_softmax_loss(x, y, mask)
    _, flat_dx = layers.softmax_loss(x[0], y[0])
    h, image = locked(noise(2, 4)), locked(noise(2, 4, 3, 3))
    made = [dx, flat_dx, rnn_layers.sigmoid(x), *attention.dot_product_attention(h, image)]
    for a in made:
        assert a.flags.writeable
        assert not any(np.shares_memory(a, given) for given in (x, y, mask, h, image))
    assert random_state() == before


# Update rules.

IN_PLACE = {"sgd": True, "adam": True, "sgd_momentum": False, "rmsprop": False}
STORED = {
    "sgd": ["learning_rate"],
    "sgd_momentum": ["learning_rate", "momentum", "velocity"],
    "rmsprop": ["learning_rate", "decay_rate", "epsilon", "cache"],
    "adam": ["learning_rate", "beta1", "beta2", "epsilon", "m", "v", "t"],
}
RUNNING = {"sgd": [], "sgd_momentum": ["velocity"], "rmsprop": ["cache"], "adam": ["m", "v"]}


@pytest.mark.parametrize("rule", optim.__all__)
def test_what_an_update_changes(rule: str) -> None:
    w, dw, config = (
        np.ones((2, 3), np.float32),
        locked(noise(2, 3).astype(np.float32)),
        {"learning_rate": 0.1},
    )
    update = getattr(optim, rule)
    next_w, returned = update(w, dw, config)
    assert (next_w is w) == IN_PLACE[rule]
    assert (w == 1.0).all() != IN_PLACE[rule]
    assert next_w.dtype == w.dtype
    assert returned is config
    assert list(config) == STORED[rule]
    held = {name: (config[name], np.array(config[name])) for name in RUNNING[rule]}
    update(next_w, dw, config)
    for name, (array, value) in held.items():
        assert config[name] is not array
        assert (array == value).all()
    assert config.get("t") == (2 if rule == "adam" else None)


@pytest.mark.parametrize("rule", optim.__all__)
def test_an_update_reaches_every_view_of_the_array(rule: str) -> None:
    table = np.ones((4, 3))
    getattr(optim, rule)(table.T[:, ::2], np.ones((3, 2)))
    assert (table[::2] < 1.0).all() == IN_PLACE[rule]
    assert (table[1::2] == 1.0).all()


@pytest.mark.parametrize("rule", optim.__all__)
def test_without_a_config_each_call_begins_with_its_own(rule: str) -> None:
    _, first = getattr(optim, rule)(np.ones(2), np.ones(2))
    _, second = getattr(optim, rule)(np.ones(2), np.ones(2))
    assert first is not second
    assert first.get("t") == second.get("t") == (1 if rule == "adam" else None)


def test_an_update_that_fails_has_not_counted() -> None:
    x, config = np.ones(2), {"t": 4}
    with pytest.raises(ValueError, match="broadcast"):
        optim.adam(x, np.ones(3), config)
    assert config["t"] == 4
    assert (x == 1.0).all()


# The network.

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "a": 4, "cow": 5}


@pytest.mark.parametrize("cell_type", ["rnn", "lstm"])
def test_a_network_draws_its_five_matrices_and_no_more(cell_type: str) -> None:
    np.random.seed(7)
    model = CaptioningRNN(WORDS, 4, 5, 3, cell_type)
    after = random_state()
    np.random.seed(7)
    width = 3 if cell_type == "rnn" else 4 * 3
    for shape in ((6, 5), (4, 3), (5, width), (3, width), (3, 6)):
        np.random.randn(*shape)
    assert random_state() == after
    assert model.word_to_idx is WORDS
    assert model.dtype == np.float32
    assert (model._null, model._start, model._end) == (0, 1, 2)


@pytest.mark.parametrize("cell_type", ["rnn", "lstm"])
def test_loss_and_sample_leave_everything_as_it_is(cell_type: str) -> None:
    model = CaptioningRNN(WORDS, 4, 5, 3, cell_type)
    before = random_state()
    held = dict(model.params)
    features = locked(noise(2, 4))
    captions = locked(np.array([[1, 4, 5, 2, 0], [1, 5, 2, 0, 0]]))
    for w in model.params.values():
        locked(w)
    _, gradients = model.loss(features, captions)
    kept = {name: g.copy() for name, g in gradients.items()}
    model.loss(features, captions)
    model.sample(features, max_length=3)
    for name, g in gradients.items():
        assert model.params[name] is held[name]
        assert g.flags.writeable
        assert (g == kept[name]).all()
        assert not any(np.shares_memory(g, w) for w in model.params.values())
    assert random_state() == before


# The solver.


def little_data() -> coco_utils.Data:
    captions = np.array([[1, 4, 2, 0], [1, 5, 2, 0], [1, 4, 5, 2], [1, 2, 0, 0]], np.int32)
    return {
        "train_captions": captions,
        "train_image_idxs": np.array([2, 0, 1, 2]),
        "train_features": noise(3, 4),
        "train_urls": np.array(["a", "b", "c"]),
    }


@pytest.mark.parametrize("rule", optim.__all__)
def test_training_goes_on_in_the_very_arrays_of_the_model(rule: str) -> None:
    model, data = CaptioningRNN(WORDS, 4, 5, 3), little_data()
    held, configs = dict(model.params), {"learning_rate": 0.1}
    values = {name: w.copy() for name, w in held.items()}
    whole = {name: a.copy() for name, a in data.items()}
    solver = CaptioningSolver(
        model, data, update_rule=rule, optim_config=configs, batch_size=2, verbose=False
    )
    assert solver.optim_config is configs
    assert solver.update_rule is getattr(optim, rule)
    assert solver.data is data
    solver.train()
    assert configs == {"learning_rate": 0.1}
    for name, w in model.params.items():
        assert (w is held[name]) == IN_PLACE[rule]
        assert not (w == values[name]).all()
        assert list(solver.optim_configs[name]) == STORED[rule]
    assert all((data[name] == a).all() for name, a in whole.items())


def test_training_draws_one_batch_an_iteration_and_goes_on_where_it_ended() -> None:
    solver = CaptioningSolver(
        CaptioningRNN(WORDS, 4, 5, 3),
        little_data(),
        update_rule="adam",
        batch_size=2,
        num_epochs=3,
        lr_decay=0.5,
        verbose=False,
    )
    np.random.seed(3)
    solver.train()
    solver.train()
    after = random_state()
    np.random.seed(3)
    for _ in range(12):
        np.random.choice(4, 2)
    assert random_state() == after
    assert (solver.epoch, len(solver.loss_history)) == (6, 12)
    assert {c["t"] for c in solver.optim_configs.values()} == {12}
    assert {c["learning_rate"] for c in solver.optim_configs.values()} == {1e-3 / 2**6}
    assert str(solver.best_val_acc) == "0"


def test_a_rule_of_ones_own_that_is_put_into_optim_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stand_still(w: Array, dw: Array, config: optim.Config) -> tuple[Array, optim.Config]:
        config.setdefault("learning_rate", 1.0)
        return w, config

    monkeypatch.setattr(optim, "stand_still", stand_still, raising=False)
    model = CaptioningRNN(WORDS, 4, 5, 3)
    before = {name: w.copy() for name, w in model.params.items()}
    solver = CaptioningSolver(
        model, little_data(), update_rule="stand_still", num_epochs=1, verbose=False
    )
    solver.train()
    assert solver.loss_history
    assert all((w == before[name]).all() for name, w in model.params.items())


# Data.


def test_data_are_arrays_in_memory_that_may_be_changed(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path, assignment=True)
    before = random_state()
    data = coco_utils.load_coco_data(folder)
    assert random_state() == before
    for value in data.values():
        assert not isinstance(value, np.ndarray) or value.flags.writeable
    first = data["train_features"].copy()
    data["train_features"][:] = 0
    assert (coco_utils.load_coco_data(folder)["train_features"] == first).all()
    np.random.seed(2)
    coco_utils.load_coco_data(folder, max_train=5)
    after = random_state()
    np.random.seed(2)
    np.random.randint(len(data["train_captions"]), size=5)
    assert random_state() == after


def test_a_batch_is_a_copy() -> None:
    data = little_data()
    np.random.seed(4)
    batch = coco_utils.sample_coco_minibatch(data, batch_size=3)
    after = random_state()
    np.random.seed(4)
    np.random.choice(4, 3)
    assert random_state() == after
    for a in batch:
        assert a.flags.writeable
        assert not any(np.shares_memory(a, whole) for whole in data.values())


def test_captions_in_words_leave_the_tokens() -> None:
    tokens = locked(np.array([[1, 4, 5, 2, 0]]))
    assert coco_utils.decode_captions(tokens, list(WORDS)) == ["<START> a cow <END>"]


# Numerical gradients.


def test_a_numerical_gradient_calls_f_at_x_and_then_above_and_below_each_entry() -> None:
    x, seen = np.array([[1.0, 2.0]]), []

    def f(v: Array) -> float:
        assert v is x
        seen.append(v.tolist())
        return float(v.sum())

    eval_numerical_gradient(f, x, verbose=False, h=0.5)
    assert seen == [[[1, 2]], [[1.5, 2]], [[0.5, 2]], [[1, 2.5]], [[1, 1.5]]]
    seen.clear()
    eval_numerical_gradient_array(lambda v: np.array(f(v)), x, 1.0, h=0.5)
    assert seen == [[[1.5, 2]], [[0.5, 2]], [[1, 2.5]], [[1, 1.5]]]


def test_a_numerical_gradient_goes_through_x_as_it_is_in_memory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    x = np.arange(4.0).reshape(2, 2).T
    eval_numerical_gradient(lambda v: float(v.sum()), x)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:6] for line in lines] == ["(0, 0)", "(1, 0)", "(0, 1)", "(1, 1)"]
    assert eval_numerical_gradient_array(lambda v: v, np.zeros((2, 0)), 1.0).shape == (2, 0)


def test_a_function_that_fails_leaves_x_as_it_was() -> None:
    x = np.ones(3)

    def f(v: Array) -> float:
        if v[1] != 1.0:
            raise ArithmeticError("enough")
        return 0.0

    with pytest.raises(ArithmeticError):
        eval_numerical_gradient(f, x, verbose=False)
    assert (x == 1.0).all()


# Pictures.


def test_a_picture_is_an_array_that_may_be_changed(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2)).save(tmp_path / "cow.png")
    pixels = image_from_url(str(tmp_path / "cow.png"))
    assert pixels is not None
    pixels[0, 0] = 255
    again = image_from_url(str(tmp_path / "cow.png"))
    assert again is not None
    assert (again == 0).all()
    assert [file.name for file in tmp_path.iterdir()] == ["cow.png"]
