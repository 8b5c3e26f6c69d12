"""Plugins by name from Python."""

from __future__ import annotations

import pytest

import rnnkit
from rnnkit.kinds import KINDS, Activation, Decoder, Layer, RecurrentCell
from rnnkit.registry import load
from rnnkit_builtin.activations.relu import Relu
from rnnkit_builtin.activations.tanh import Tanh
from rnnkit_builtin.cells.lstm import LSTM
from rnnkit_builtin.cells.vanilla import Vanilla


def test_a_plugin_is_made_with_its_options() -> None:
    assert rnnkit.load_plugin("cell", "lstm", forget_bias=1.0) == LSTM(forget_bias=1.0)
    assert rnnkit.load_plugin(RecurrentCell, "rnnkit:lstm", forget_bias=1) == LSTM(forget_bias=1.0)
    assert rnnkit.load_plugin("cell", "lstm") == LSTM()


def test_an_option_that_is_a_plugin_is_a_name_a_table_or_a_plugin() -> None:
    for activation in ("relu", {"use": "relu"}, Relu()):
        assert rnnkit.load_plugin("cell", "vanilla", activation=activation) == Vanilla(Relu())
    assert rnnkit.load_plugin(RecurrentCell, "vanilla") == Vanilla(Tanh())


def test_an_option_may_be_left_open() -> None:
    beam = load(Decoder, "beam")
    assert rnnkit.load_plugin(Decoder, "beam", no_repeat=None) == beam()


def test_each_kind_goes_by_its_noun() -> None:
    plugins = [
        "relu",
        "affine",
        "lstm",
        "softmax-cross-entropy",
        "adam",
        "cosine",
        "xavier",
        "beam",
        "scenes",
        "cider-d",
    ]
    for kind, name in zip(KINDS, plugins, strict=True):
        assert rnnkit.load_plugin(kind.noun, name) == load(kind, name)()


@pytest.mark.parametrize(
    ("kind", "name", "options", "said"),
    [
        ("cel", "lstm", {}, "there is no kind 'cel'; did you mean 'cell'?"),
        (
            "cell",
            "lsmt",
            {},
            "no cell is called 'lsmt'; did you mean 'lstm'? (packages add more under the entry-point group "
            "'rnnkit.cells')",
        ),
        (
            Activation,
            "lstm",
            {},
            "no activation is called 'lstm'; there is elu, gelu, identity, leaky-relu, relu, sigmoid, silu, "
            "softplus, tanh (packages add more under the entry-point group 'rnnkit.activations')",
        ),
        (
            "cell",
            "lstm",
            {"forget_bais": 1.0},
            "cell 'lstm': forget_bais: unknown key 'forget_bais'; did you mean 'forget_bias'?",
        ),
        (
            "cell",
            "lstm",
            {"forget_bias": "much"},
            "cell 'lstm': forget_bias: expected a number, got string 'much'",
        ),
        (
            "cell",
            "vanilla",
            {"activation": {"use": "leaky-relu", "slop": 1}},
            "cell 'vanilla': activation.slop: unknown key 'slop'; did you mean 'slope'?",
        ),
        (
            Layer,
            "embedding",
            {"dim": "0", "weights": Relu()},
            "layer 'embedding': dim: expected a whole number, got string '0'\n"
            "layer 'embedding': weights: expected an initializer name or { use = \"...\", ... }, got Relu Relu()",
        ),
        (Layer, "embedding", {"dim": 0}, "layer 'embedding': dim: 'dim' must be >= 1: 0"),
    ],
)
def test_a_mistake_is_told_with_what_to_write_instead(
    kind: str, name: str, options: dict[str, object], said: str
) -> None:
    with pytest.raises(rnnkit.RegistryError) as error:
        rnnkit.load_plugin(kind, name, **options)
    assert str(error.value) == said
