"""Activations, layers, losses and optimizers compute what PyTorch computes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from rnnkit.kinds import Activation, Layer, Optimizer, map_arrays, named_arrays
from rnnkit_builtin.activations.elu import Elu
from rnnkit_builtin.activations.gelu import Gelu
from rnnkit_builtin.activations.identity import Identity
from rnnkit_builtin.activations.leaky_relu import LeakyRelu
from rnnkit_builtin.activations.relu import Relu
from rnnkit_builtin.activations.sigmoid import Sigmoid
from rnnkit_builtin.activations.silu import Silu
from rnnkit_builtin.activations.softplus import Softplus
from rnnkit_builtin.activations.tanh import Tanh
from rnnkit_builtin.layers.affine import Affine, AffineParams
from rnnkit_builtin.layers.dropout import Dropout
from rnnkit_builtin.layers.embedding import Embedding, EmbeddingParams
from rnnkit_builtin.layers.layer_norm import LayerNorm, LayerNormParams
from rnnkit_builtin.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from rnnkit_builtin.optimizers.adadelta import Adadelta
from rnnkit_builtin.optimizers.adafactor import Adafactor
from rnnkit_builtin.optimizers.adagrad import Adagrad
from rnnkit_builtin.optimizers.adam import Adam
from rnnkit_builtin.optimizers.adamax import Adamax
from rnnkit_builtin.optimizers.adamw import AdamW
from rnnkit_builtin.optimizers.lion import Lion
from rnnkit_builtin.optimizers.nadam import NAdam
from rnnkit_builtin.optimizers.radam import RAdam
from rnnkit_builtin.optimizers.rmsprop import RMSProp
from rnnkit_builtin.optimizers.sgd import SGD
from tests.torch_reference import cases, everything, parameters

ACTIVATIONS: dict[str, Activation] = {
    "identity": Identity(),
    "tanh": Tanh(),
    "sigmoid": Sigmoid(),
    "relu": Relu(),
    "leaky-relu": LeakyRelu(),
    "leaky-relu 0.2": LeakyRelu(0.2),
    "elu": Elu(),
    "elu 0.5": Elu(0.5),
    "softplus": Softplus(),
    "silu": Silu(),
    "gelu": Gelu(),
}
LAYERS: dict[str, tuple[Layer[Any, Any, Any], type[Any]]] = {
    "affine": (Affine(4), AffineParams),
    "layer-norm": (LayerNorm(), LayerNormParams),
    "embedding": (Embedding(3), EmbeddingParams),
}
LOSSES = {
    "plain": SoftmaxCrossEntropy(),
    "masked": SoftmaxCrossEntropy(),
    "smoothed": SoftmaxCrossEntropy(smoothing=0.1),
    "smoothed and masked": SoftmaxCrossEntropy(smoothing=0.3),
}
OPTIMIZERS: dict[str, Optimizer[Any]] = {
    "sgd": SGD(0.1),
    "sgd decay": SGD(0.1, weight_decay=0.2),
    "sgd momentum": SGD(0.1, momentum=0.9),
    "sgd momentum scheduled": SGD(0.1, momentum=0.9),
    "sgd nesterov decay scheduled": SGD(0.1, momentum=0.8, nesterov=True, weight_decay=0.2),
    "rmsprop": RMSProp(0.01),
    "rmsprop momentum scheduled": RMSProp(0.01, decay=0.9, epsilon=1e-3, momentum=0.7),
    "adagrad": Adagrad(0.1),
    "adagrad scheduled": Adagrad(0.1, epsilon=1e-2),
    "adam": Adam(0.01),
    "adam scheduled": Adam(0.01, beta1=0.7, beta2=0.8, epsilon=1e-2),
    "adamw": AdamW(0.01),
    "adamw scheduled": AdamW(0.01, beta1=0.7, beta2=0.8, weight_decay=0.5),
    "sgd dampening": SGD(0.1, momentum=0.9, dampening=0.4),
    "rmsprop centered": RMSProp(0.01, centered=True),
    "rmsprop centered decay scheduled": RMSProp(
        0.01, decay=0.8, momentum=0.7, centered=True, weight_decay=0.2
    ),
    "adam decay": Adam(0.01, weight_decay=0.2),
    "adam amsgrad": Adam(0.01, beta1=0.7, beta2=0.8, amsgrad=True),
    "adam amsgrad decay scheduled": Adam(
        0.01, beta1=0.5, beta2=0.6, amsgrad=True, weight_decay=0.2
    ),
    "adamw amsgrad": AdamW(0.01, beta1=0.5, beta2=0.6, amsgrad=True),
    "adadelta": Adadelta(),
    "adadelta decay scheduled": Adadelta(0.5, decay=0.7, epsilon=1e-3, weight_decay=0.2),
    "adamax": Adamax(),
    "adamax decay scheduled": Adamax(0.01, beta1=0.7, beta2=0.8, epsilon=1e-3, weight_decay=0.2),
    "nadam": NAdam(),
    "nadam decay scheduled": NAdam(
        0.01, beta1=0.7, beta2=0.8, weight_decay=0.2, momentum_decay=0.5
    ),
    "radam": RAdam(),
    "radam decay scheduled": RAdam(0.01, beta1=0.7, beta2=0.8, epsilon=1e-3, weight_decay=0.2),
    "adafactor": Adafactor(),
    "adafactor decay scheduled": Adafactor(0.5, decay=0.5, epsilon=0.1, clip=1.2, weight_decay=0.2),
}


def agree(actual: Any, wanted: Any) -> None:
    """Equal to 1e-12; near 0, where a sum of larger terms may have cancelled, to a few roundings of 1."""
    np.testing.assert_allclose(actual, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("group", "table"),
    [
        ("activations", ACTIVATIONS),
        ("layers", LAYERS),
        ("losses", LOSSES),
        ("optimizers", OPTIMIZERS),
    ],
)
def test_every_recorded_case_is_compared(group: str, table: dict[str, Any]) -> None:
    assert set(cases(group)) == set(table)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_equals_torch(name: str) -> None:
    case, f = cases("activations")[name], ACTIVATIONS[name]
    y, saved = f.forward(case["x"])
    agree(y, case["y"])
    agree(f.backward(np.ones_like(y), saved), case["dx"])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_has_float32_and_no_overflow_at_the_far_ends(name: str) -> None:
    x = np.array([-1e4, -90.0, 90.0, 1e4], np.float32)
    y, saved = ACTIVATIONS[name].forward(x)
    dx = ACTIVATIONS[name].backward(np.ones_like(x), saved)
    assert y.dtype == dx.dtype == np.float32
    assert np.all(np.isfinite(y))
    assert np.all((dx >= 0) & (dx <= 1))


@pytest.mark.parametrize("name", LAYERS)
def test_layer_equals_torch(name: str) -> None:
    case, (layer, params) = cases("layers")[name], LAYERS[name]
    y, cache = layer.forward(params(**parameters(case, "p.")), case["x"], None)
    dx, dp = layer.backward(params(**parameters(case, "p.")), case["dy"], cache)
    agree(y, case["y"])
    for path, gradient in named_arrays(dp):
        agree(gradient, case[f"d.{path}"])
    if "dx" in case:
        agree(dx, case["dx"])
    else:
        assert dx is None


@pytest.mark.parametrize("shape", [(), (0,), (1,), (400,), (20, 20)])
def test_embedding_sums_gradients_over_repeated_tokens(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    tokens, dy = rng.integers(0, 150, shape), rng.standard_normal((*shape, 5))
    layer = Embedding(5)
    p = layer.init(200, rng, np.dtype(np.float64))
    one_hot = np.eye(200)[tokens.reshape(-1)]
    dW = layer.backward(p, dy, layer.forward(p, tokens, None)[1])[1].W
    np.testing.assert_allclose(dW, one_hot.T @ dy.reshape(-1, 5), rtol=0, atol=1e-14)


def test_an_open_affine_layer_takes_the_width_of_its_chain() -> None:
    assert Affine().fit(7) == Affine(7)
    assert Affine(5).fit(7) == Affine(5)
    with pytest.raises(ValueError, match="give it 'units'"):
        Affine().out_features(3)


def test_dropout_is_the_identity_outside_training() -> None:
    x = np.ones((2, 3))
    for rate, rng in [(0.5, None), (0.0, np.random.default_rng(0))]:
        layer = Dropout(rate)
        p = layer.init(3, np.random.default_rng(0), x.dtype)
        y, cache = layer.forward(p, x, rng)
        assert y is x
        assert layer.backward(p, x, cache)[0] is x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_zeroes_at_its_rate_and_keeps_the_mean(dtype: type[np.floating[Any]]) -> None:
    x = np.full((300, 400), 3.0, dtype)
    layer = Dropout(0.2)
    p = layer.init(400, np.random.default_rng(0), x.dtype)
    y, cache = layer.forward(p, x, np.random.default_rng(1))
    assert y.dtype == dtype
    assert set(np.unique(y / dtype(3.0))) == {0.0, dtype(1.25)}
    assert np.mean(y == 0) == pytest.approx(0.2, abs=0.005)
    np.testing.assert_array_equal(layer.backward(p, x, cache)[0], y)


def test_dropout_has_one_mask_for_both_float_types() -> None:
    layer, x = Dropout(0.5), np.ones((20, 30))
    p = layer.init(30, np.random.default_rng(0), x.dtype)
    double = layer.forward(p, x, np.random.default_rng(1))[0]
    single = layer.forward(p, x.astype(np.float32), np.random.default_rng(1))[0]
    np.testing.assert_array_equal(single, double)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_equals_torch(name: str) -> None:
    case = cases("losses")[name]
    loss, dscores = LOSSES[name].evaluate(case["scores"], case["targets"], case["mask"])
    agree(loss, case["loss"])
    agree(dscores, case["dscores"])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_masked_position_never_reaches_the_loss(
    smoothing: float, dtype: type[np.floating[Any]]
) -> None:
    scores = np.array([[1.0, 2.0, 3.0], [0.0, -1e6, 0.0], [1e3, -1e3, 0.0]], dtype)
    loss, dscores = SoftmaxCrossEntropy(smoothing).evaluate(
        scores, np.array([2, 1, -100]), np.array([True, False, False])
    )
    alone, dalone = SoftmaxCrossEntropy(smoothing).evaluate(
        scores[:1], np.array([2]), np.array([True])
    )
    assert loss == alone
    assert loss.dtype == dscores.dtype == dtype
    np.testing.assert_array_equal(dscores, np.vstack([dalone, np.zeros((2, 3))]))


def test_a_loss_without_positions_is_zero() -> None:
    loss, dscores = SoftmaxCrossEntropy().evaluate(
        np.ones((2, 3)), np.array([0, 1]), np.zeros(2, np.bool_)
    )
    assert loss == 0
    assert not dscores.any()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_follows_torch_for_twenty_updates(name: str) -> None:
    case, optimizer = cases("optimizers")[name], OPTIMIZERS[name]
    w = everything()["optimizers/w"].copy()
    slots, path = optimizer.slots(w), []
    gradients = everything()["optimizers/gradients"]
    for step, (dw, factor) in enumerate(zip(gradients, case["factors"], strict=True), 1):
        optimizer.update(w, dw, slots, step, float(factor))
        path.append(w.copy())
    agree(path, case["w"])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_works_in_place_in_float32_and_leaves_the_gradient_alone(name: str) -> None:
    rng = np.random.default_rng(2)
    w, dw = rng.standard_normal((2, 3, 4)).astype(np.float32)
    slots, before, gradient = OPTIMIZERS[name].slots(w), w.copy(), dw.copy()
    memory = map_arrays(lambda a: a, slots)
    OPTIMIZERS[name].update(w, dw, slots, 1, 0.5)
    assert np.all(w != before)
    assert np.array_equal(dw, gradient)
    for (_, now), (_, then) in zip(named_arrays(slots), named_arrays(memory), strict=True):
        assert now is then
        assert now.dtype == np.float32
        assert np.all(now != 0)


def test_adafactor_keeps_whole_squares_of_what_is_no_matrix() -> None:
    case = parameters(everything(), "vectors/")
    w, optimizer, path = case["start"].copy(), Adafactor(0.1), []
    slots = optimizer.slots(w)
    for step, dw in enumerate(case["gradients"], 1):
        optimizer.update(w, dw, slots, step, 1.0)
        path.append(w.copy())
    agree(path, case["w"])


def test_adafactor_needs_less_than_half_of_the_memory_of_adam() -> None:
    w = np.ones((50_000, 64), np.float32)
    dw, used = np.full_like(w, 0.5), {}
    optimizers: tuple[Optimizer[Any], ...] = (Adam(), Adafactor())
    for optimizer in optimizers:
        tracemalloc.start()
        slots = optimizer.slots(w)
        optimizer.update(w, dw, slots, 1, 1.0)
        used[type(optimizer)] = sum(a.nbytes for _, a in named_arrays(slots))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert used == {Adam: 8 * w.size, Adafactor: 4 * (50_000 + 64)}
    assert peak < used[Adam] / 10  # of Adafactor, with all that it makes on the way


def test_lion_follows_its_paper() -> None:
    optimizer = Lion(0.01, beta1=0.7, beta2=0.8, weight_decay=0.3)
    w, gradients = everything()["optimizers/w"].copy(), everything()["optimizers/gradients"]
    slots, wanted, m = optimizer.slots(w), w.copy(), np.zeros_like(w)
    for step, dw in enumerate(gradients, 1):
        optimizer.update(w, dw, slots, step, 1.0 / step)
        c = 0.7 * m + 0.3 * dw
        m = 0.8 * m + 0.2 * dw
        wanted = wanted - 0.01 / step * (np.where(c > 0, 1.0, -1.0) + 0.3 * wanted)
    agree(w, wanted)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValueError, match="'momentum' above 0"):
        SGD(nesterov=True)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "nesterov": True}])
def test_dampening_wants_a_velocity_of_its_own(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'dampening' is for what goes into the velocity"):
        SGD(dampening=0.5, **options)


def test_a_deviation_from_no_mean_is_refused() -> None:
    with pytest.raises(ValueError, match="'decay' above 0"):
        RMSProp(decay=0.0, centered=True)
