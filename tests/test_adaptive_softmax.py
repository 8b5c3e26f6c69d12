"""Adaptive softmax: PyTorch's numbers, the full softmax without cutoffs, and a network that does all that others do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.exporting import export_onnx, from_torch, to_torch
from rnnkit.errors import PluginFault
from rnnkit.kinds import Array, Ints, Loss, Mask, Scalar
from rnnkit.kinds.arrays import with_values
from rnnkit.network.transfer import take_over
from rnnkit.numerics import log_softmax
from rnnkit.testing.checks import checks_of_spec
from rnnkit_builtin.layers.adaptive_softmax import AdaptiveSoftmax
from rnnkit_builtin.layers.affine import Affine
from rnnkit_builtin.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from tests.datafolders import WORDS, write_data_folder

RECORDED: Final = Path(__file__).parent / "reference" / "torch_vocabulary.npz"

NETWORK: Final = """
[model]
dtype = "float64"
image = "affine"
words = { use = "embedding", dim = 10 }
head = ["tanh", { use = "adaptive-softmax", cutoffs = [4, 7], shrink = 2.0 }]
[[model.rnn]]
hidden = 12
cell = "lstm"
[train]
epochs = 2
batch = 4
"""


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    with np.load(RECORDED) as file:
        return dict(file)


def named_as_in_torch(prefix: str, recorded: dict[str, Any]) -> dict[str, Array]:
    """Parameters or gradients by rnnkit's names, in its layout."""
    theirs = {k.removeprefix(prefix): a.T for k, a in recorded.items() if k.startswith(prefix)}
    own = {"W": theirs["head.weight"], "b": theirs["head.bias"]}
    for i in range(sum(name.startswith("tail.") for name in theirs) // 2):
        own |= {f"clusters.{i}.{m}": theirs[f"tail.{i}.{j}.weight"] for j, m in enumerate("PW")}
    return own


@pytest.mark.parametrize("case", ["one cluster", "two clusters", "three clusters"])
def test_it_computes_what_pytorch_computes(case: str, recorded: dict[str, Any]) -> None:
    prefix = f"adaptive/{case}/"
    of = {k.removeprefix(prefix): a for k, a in recorded.items() if k.startswith(prefix)}
    cutoffs, V = tuple(of["cutoffs"].tolist()), of["every"].shape[1]
    layer = AdaptiveSoftmax(units=V, cutoffs=cutoffs, shrink=float(of["shrink"]))
    like = layer.init(of["x"].shape[1], np.random.default_rng(0), np.dtype(np.float64))
    p = with_values(like, named_as_in_torch("p.", of), "")
    every, _ = layer.forward(p, of["x"], None)
    np.testing.assert_allclose(every, of["every"], rtol=1e-12, atol=1e-13)
    log_probs, cache = layer.likelihood(p, of["x"], of["targets"])
    np.testing.assert_allclose(log_probs, of["log_probs"], rtol=1e-12, atol=1e-13)
    dx, dp = layer.likelihood_back(p, np.full(len(log_probs), -1.0), cache)
    np.testing.assert_allclose(dx, of["dx"], rtol=1e-10, atol=1e-12)
    for name, wanted in named_as_in_torch("d.", of).items():
        part: Any = dp
        for key in name.split("."):
            part = part[int(key)] if key.isdigit() else getattr(part, key)
        np.testing.assert_allclose(part, wanted, rtol=1e-10, atol=1e-12, err_msg=name)


def test_without_cutoffs_it_is_the_full_softmax() -> None:
    rng = np.random.default_rng(1)
    x, targets = rng.standard_normal((9, 5)), rng.integers(0, 11, 9)
    layer, affine = AdaptiveSoftmax(11, cutoffs=()), Affine(11)
    p = layer.init(5, rng, np.dtype(np.float64))
    assert p.clusters == ()
    scores = x @ p.W + p.b
    np.testing.assert_allclose(layer.forward(p, x, None)[0], log_softmax(scores), rtol=1e-13)
    log_probs, cache = layer.likelihood(p, x, targets)
    loss, dscores = SoftmaxCrossEntropy().evaluate(scores, targets, np.ones(9, bool))
    assert -log_probs.sum() == pytest.approx(float(loss), rel=1e-13)
    like = affine.init(5, rng, np.dtype(np.float64))
    given = with_values(like, {"W": p.W, "b": p.b}, "")
    dx, dp = affine.backward(given, dscores, affine.forward(given, x, None)[1])
    found, of = layer.likelihood_back(p, np.full(9, -1.0), cache)
    for a, b in ((found, dx), (of.W, dp.W), (of.b, dp.b)):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)


def test_clusters_begin_at_the_cutoffs_below_the_vocabulary() -> None:
    assert AdaptiveSoftmax(50_000).bounds == (2_500, 10_000, 50_000)
    assert AdaptiveSoftmax(50, cutoffs=(10, 50, 99)).bounds == (10, 50)
    assert AdaptiveSoftmax(1).bounds == (1,)
    with pytest.raises(ValueError, match=r"'cutoffs' must rise from at least 1"):
        AdaptiveSoftmax(50, cutoffs=(10, 10))


def model_of(folder: Path, **overrides: str) -> rnnkit.Captioner:
    """A network with parameters that are all different."""
    spec = rnnkit.parse_spec(NETWORK, overrides=[f"{k}={v}" for k, v in overrides.items()])
    made = rnnkit.build(spec, folder)
    rng = np.random.default_rng(2)
    return made.with_parameters(
        {
            name: w + (0.3 * rng.standard_normal(w.shape)).astype(w.dtype)
            for name, w in made.parameters.items()
        }
    )


@attrs.frozen
class ByScores(Loss):
    """Cross entropy that looks at all scores."""

    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        return SoftmaxCrossEntropy().evaluate(scores, targets, mask)


def test_the_harness_finds_the_gradient_of_a_network_right() -> None:
    text = NETWORK.replace("[4, 7]", "[3, 5]")
    for check in checks_of_spec(rnnkit.parse_spec(text), "adaptive"):
        finding = check.run(0)
        assert finding.ok, (check.id, finding.text)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_targets_is_that_of_all_scores(weighted: bool, tmp_path: Path) -> None:
    model = model_of(write_data_folder(tmp_path))
    train = attrs.evolve(model.spec.train, loss=ByScores())
    slow = attrs.evolve(model, spec=attrs.evolve(model.spec, train=train))
    with rnnkit.open_data(tmp_path) as data:
        captions, features = next(data.split("train").batches([np.arange(9)], model.dtype))
    weights = np.linspace(-1.0, 2.0, 9) if weighted else None
    loss, gradients = model.loss_and_gradients(features, captions, weights=weights)
    wanted, theirs = slow.loss_and_gradients(features, captions, weights=weights)
    assert loss == pytest.approx(wanted, rel=1e-13)
    for name, g in theirs.items():
        np.testing.assert_allclose(gradients[name], g, rtol=1e-10, atol=1e-13, err_msg=name)
    if not weighted:
        nats, tokens = model.nats(features, captions)
        assert nats == pytest.approx(9 * loss, rel=1e-13)
        scores = model.scores(features, captions)
        np.testing.assert_allclose(np.exp(scores[captions[:, 1:] != 0]).sum(axis=1), 1.0)
        assert tokens == np.count_nonzero(captions[:, 1:])


def test_frozen_parameters_have_no_gradient_and_change_no_other(tmp_path: Path) -> None:
    model = model_of(write_data_folder(tmp_path))
    with rnnkit.open_data(tmp_path) as data:
        captions, features = next(data.split("train").batches([np.arange(9)], model.dtype))
    _, every = model.loss_and_gradients(features, captions)
    for wrt in (["rnn.0.Wh"], ["head.1.b"], ["head.1.clusters.0.P", "words.0.W"]):
        _, some = model.loss_and_gradients(features, captions, wrt=wrt)
        assert list(some) == [name for name in every if name in wrt]
        for name, g in some.items():
            np.testing.assert_array_equal(g, every[name])


def test_blocks_of_positions_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(write_data_folder(tmp_path))
    with rnnkit.open_data(tmp_path) as data:
        captions, features = next(data.split("train").batches([np.arange(9)], model.dtype))
    loss, wanted = model.loss_and_gradients(features, captions)
    monkeypatch.setattr("rnnkit.network.head.HEAD_ROWS", 5)
    again, found = model.loss_and_gradients(features, captions)
    assert again == pytest.approx(loss, rel=1e-13)
    for name, g in wanted.items():
        np.testing.assert_allclose(found[name], g, rtol=1e-10, atol=1e-13, err_msg=name)


def test_it_captions_alike_in_onnx(tmp_path: Path) -> None:
    model = model_of(write_data_folder(tmp_path / "data"), **{"model.dtype": '"float32"'})
    export_onnx(model, tmp_path / "model.onnx")  # which compares captions before it is done


def test_its_weights_are_those_of_pytorchs_module(tmp_path: Path) -> None:
    model = model_of(write_data_folder(tmp_path), **{"model.dtype": '"float32"'})
    tensors = to_torch(model)
    shapes = {k.removeprefix("head.1."): a.shape for k, a in tensors.items() if "head" in k}
    assert shapes == {
        "head.weight": (6, 12),
        "head.bias": (6,),
        "tail.0.0.weight": (6, 12),
        "tail.0.1.weight": (3, 6),
        "tail.1.0.weight": (3, 12),
        "tail.1.1.weight": (3, 3),
    }
    back = from_torch(rnnkit.build(model.spec, tmp_path), tensors)
    for name, w in model.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], w)


def test_words_that_another_model_has_are_taken_wherever_they_stand(tmp_path: Path) -> None:
    other = (*WORDS[:4], "square", "green", "a", "blue", "below", "red", "an")
    old = model_of(write_data_folder(tmp_path / "old"))
    new = model_of(write_data_folder(tmp_path / "new", words=other))
    kept = {name: w.copy() for name, w in new.parameters.items()}
    rows = {row.name: row.why for row in take_over(new, old)}
    a, b = new.parameters["head.1.W"], old.parameters["head.1.W"]
    assert [rows[f"head.1.{k}"] for k in ("W", "b")] == ["taken of 4 of 4 words"] * 2
    np.testing.assert_array_equal(a, b)  # four special words, and the two clusters
    mine = [new.vocabulary.words[k:n] for k, n in ((4, 7), (7, 11))]
    its = [old.vocabulary.words[k:n] for k, n in ((4, 7), (7, 10))]
    for i, (words, theirs) in enumerate(zip(mine, its, strict=True)):
        name = f"head.1.clusters.{i}.W"
        for k, word in enumerate(words):
            there = word in theirs
            wanted = old.parameters[name][:, theirs.index(word)] if there else kept[name][:, k]
            np.testing.assert_array_equal(new.parameters[name][:, k], wanted)


def test_frequent_words_come_first_in_the_model_and_data_in_another_order_is_read(
    tmp_path: Path,
) -> None:
    folder = write_data_folder(tmp_path / "data", images=30)
    with rnnkit.open_data(folder) as data:
        counts = np.bincount(data.split("train").captions.ravel(), minlength=len(WORDS))
    spec = rnnkit.parse_spec(NETWORK, overrides=["train.epochs=1"])
    run = rnnkit.train(spec, folder, tmp_path / "run", progress=False)
    words = run.model.vocabulary.words
    assert words[0] == "<NULL>"
    assert words[1:] == tuple(
        WORDS[token] for token in sorted(range(1, len(WORDS)), key=lambda t: -counts[t])
    )
    assert words != WORDS
    with rnnkit.open_data(folder) as data:
        found = rnnkit.evaluate(run.model, data, "val", metrics=())
        assert found.nats == pytest.approx(run.history.records[-1].val_nats, rel=1e-12)
    again = rnnkit.train(resume=tmp_path / "run", overrides=["train.epochs=2"], progress=False)
    assert again.model.vocabulary.words == words
    assert again.history.records[-1].step == 2 * run.history.records[-1].step


def test_an_order_that_is_nearly_by_frequency_stays(tmp_path: Path) -> None:
    from rnnkit.data.ordering import frequent_first

    with rnnkit.open_data(write_data_folder(tmp_path)) as data:
        sorted_once = frequent_first(data)
        assert frequent_first(sorted_once) is sorted_once
        back = frequent_first(sorted_once, data.vocabulary)
        np.testing.assert_array_equal(back.split("val").captions, data.split("val").captions)


def test_a_reward_trains_it(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data", images=8)
    overrides = ['train.metric="cider"', 'train.reward.reward="bleu"', "train.reward.after=1"]
    spec = rnnkit.parse_spec(NETWORK, overrides=overrides)
    done = rnnkit.train(spec, folder, tmp_path / "run", progress=False)
    assert done.finished
    assert done.history.records[-1].reward is not None


def test_what_a_layer_returns_is_checked(tmp_path: Path) -> None:
    model = model_of(write_data_folder(tmp_path))

    @attrs.frozen
    class Wrong(AdaptiveSoftmax):
        def likelihood(self, p: Any, x: Array, targets: Ints) -> Any:
            return super().likelihood(p, x, targets)[0]

    *first, last = model.head.chain.links
    links = (*first, attrs.evolve(last, layer=Wrong(10)))
    chain = attrs.evolve(model.head.chain, links=links)
    broken = attrs.evolve(model, head=attrs.evolve(model.head, chain=chain))
    with pytest.raises(PluginFault, match=r"likelihood .*\(log_probs, cache\)"):
        broken.loss(np.zeros((1, 6)), np.array([[1, 4, 2]]))
