"""The printed numbers of the course assignment that rnnkit grew out of, through the plugins."""

from __future__ import annotations

import numpy as np
import pytest

from rnnkit.data import Vocabulary
from rnnkit.kinds import Activation, Array, NoParams, State
from rnnkit.network import GatedParams, GatedRecurrence, Packing
from rnnkit.network.builder import assemble
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec
from rnnkit_builtin.activations.sigmoid import Sigmoid
from rnnkit_builtin.activations.tanh import Tanh
from rnnkit_builtin.cells.vanilla import Vanilla
from rnnkit_builtin.layers.embedding import Embedding, EmbeddingParams
from rnnkit_builtin.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from tests.assignment import SEQUENCE, ramp, rel_error


def vanilla(
    activation: Activation, Wx: Array, Wh: Array, b: Array
) -> GatedRecurrence[NoParams, State, Array]:
    return GatedRecurrence(Vanilla(activation), GatedParams(Wx, Wh, b, NoParams()))


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (
            Tanh(),
            [
                [-0.58172089, -0.50182032, -0.41232771, -0.31410098],
                [0.66854692, 0.79562378, 0.87755553, 0.92795967],
                [0.97934501, 0.99144213, 0.99646691, 0.99854353],
            ],
        ),
        (
            Sigmoid(),
            [
                [0.3396039, 0.36546169, 0.3921193, 0.41943607],
                [0.69170684, 0.74773577, 0.79657666, 0.83801004],
                [0.90731492, 0.93847897, 0.95963077, 0.97371398],
            ],
        ),
    ],
    ids=["tanh", "sigmoid"],
)
def test_one_step_of_the_vanilla_cell(activation: Activation, expected: list[list[float]]) -> None:
    N, D, H = 3, 10, 4
    rnn = vanilla(activation, ramp(-0.1, 0.9, D, H), ramp(-0.3, 0.7, H, H), ramp(-0.2, 0.4, H))
    state = rnn.advance(rnn.project(ramp(-0.4, 0.7, N, D)), rnn.start(ramp(-0.2, 0.5, N, H)))
    assert rel_error(np.array(expected), state.h) < 1e-8


def test_a_sequence_of_the_vanilla_cell() -> None:
    N, T, D, H = 2, 4, 5, 6
    rnn = vanilla(Tanh(), ramp(-0.3, 0.5, D, H), ramp(-0.4, 0.3, H, H), ramp(-0.5, 0.4, H))
    packing = Packing.of_lengths(np.full(N, T))
    x = ramp(-0.2, 0.1, N, T, D)[packing.rows, packing.steps]
    h = packing.unpack(rnn.forward(x, packing.enter(ramp(-0.2, 0.2, N, H)), packing)[0], T)
    assert rel_error(SEQUENCE, h) < 1e-7


def test_word_embedding() -> None:
    V, D = 6, 4
    tokens = np.array([[0, 3, 1, 4, 2, 0], [2, 4, 1, 0, 3, 4]])
    out, _ = Embedding(D).forward(EmbeddingParams(ramp(0, 1, V, D)), tokens, None)
    expected = (tokens[..., None] * D + np.arange(D)) / (V * D - 1)
    assert rel_error(out, expected) < 1e-15
    assert out[0, 1].round(8).tolist() == [0.52173913, 0.56521739, 0.60869565, 0.65217391]


def test_temporal_softmax_losses_follow_from_the_seed() -> None:
    rng = np.random.RandomState(590)
    for size in (2 * 4 * 5, 5 * 6, 6, 2 * 4 * 6):  # what the cell before draws
        rng.randn(size)
    printed = {
        (100, 1, 10, 1.0): 2.3023015400095255,
        (100, 10, 10, 1.0): 23.026219922871423,
        (5000, 10, 10, 0.1): 2.3066946397001176,
    }
    for (N, T, V, p), expected in printed.items():
        x = 0.001 * rng.randn(N, T, V)
        y = rng.randint(V, size=(N, T))
        mask = rng.rand(N, T) <= p
        loss, _ = SoftmaxCrossEntropy().evaluate(x.reshape(-1, V), y.reshape(-1), mask.reshape(-1))
        assert float(loss) / N == pytest.approx(expected, abs=1e-11)


def test_the_loss_of_the_captioning_network() -> None:
    N, D, W, H, T = 16, 18, 36, 48, 12
    words = Vocabulary(("<NULL>", "cat", "dog"), null=0, start=1, end=2, unknown=None)
    spec = parse_spec(
        f"""
        [model]
        dtype = "float64"
        words = {{ use = "embedding", dim = {W} }}
        [[model.rnn]]
        hidden = {H}
        cell = "vanilla"
        """
    )
    model = assemble(spec, Sizes(D, words, T))
    for array in model.parameters.values():
        array[...] = ramp(-1.4, 1.3, *array.shape)
    captions = (np.arange(N * T) % len(words)).reshape(N, T)
    loss, _ = model.loss_and_gradients(ramp(-1.5, 0.3, N, D), captions)
    assert loss == pytest.approx(9.696715448942058, abs=1e-12)
