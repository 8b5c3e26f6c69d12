"""A tied head: one array for the vectors and the scores of words, with one gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.exporting import export_onnx, from_torch, to_torch
from rnnkit.describing.summary import summarize
from rnnkit.errors import DataError, SpecError
from rnnkit.kinds import Array, Ints
from rnnkit.network.transfer import take_over
from rnnkit.parallel import ALONE
from rnnkit.testing.checks import checks_of_spec
from rnnkit.training.descent import Descent, WholeDescent
from rnnkit.training.first_descent import FirstDescent
from rnnkit.training.shared_descent import SharedDescent
from tests.datafolders import write_data_folder

NETWORK: Final = """
[model]
dtype = "float64"
words = { use = "embedding", dim = 10 }
head = [{ use = "affine", units = 10 }, "tied"]
[[model.rnn]]
hidden = 12
cell = "lstm"
[train]
epochs = 2
batch = 4
"""

UNTIED: Final = NETWORK.replace('"tied"', '"affine"')

FROZEN: Final = """
[[train.group]]
parts = "words.*"
frozen = true
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_folder(tmp_path_factory.mktemp("tied") / "data")


@pytest.fixture(scope="module")
def batch(folder: Path) -> tuple[Ints, Array]:
    with rnnkit.open_data(folder) as data:
        dtype = np.dtype(np.float64)
        return next(data.split("train").batches([np.arange(9)], dtype))


def model_of(folder: Path, text: str = NETWORK, dtype: str = "float64") -> rnnkit.Captioner:
    """A network whose parameters are all different."""
    made = rnnkit.build(rnnkit.parse_spec(text, overrides=[f"model.dtype={dtype}"]), folder)
    rng = np.random.default_rng(2)
    values = {n: w + 0.3 * rng.standard_normal(w.shape) for n, w in made.parameters.items()}
    return made.with_parameters({name: w.astype(dtype) for name, w in values.items()})


def test_the_array_is_there_once(folder: Path) -> None:
    model = model_of(folder)
    assert model.ties == {"head.1.W": "words.0.W"}
    assert list(model.parameters)[-3:] == ["head.0.W", "head.0.b", "head.1.b"]
    assert model.head.chain.links[1].params.W is model.parameters["words.0.W"]  # type: ignore[attr-defined]  # TiedParams
    assert model.size == sum(w.size for w in model.parameters.values())
    assert summarize(model).parameters == model.size


def test_its_gradient_is_the_sum_of_those_of_an_untied_network(
    folder: Path, batch: tuple[Ints, Array]
) -> None:
    captions, features = batch
    model, untied = model_of(folder), model_of(folder, UNTIED)
    E = model.parameters["words.0.W"]
    untied = untied.with_parameters({**model.parameters, "head.1.W": E.T.copy()})
    loss, gradients = model.loss_and_gradients(features, captions)
    wanted, theirs = untied.loss_and_gradients(features, captions)
    assert loss == pytest.approx(wanted, rel=1e-13)
    theirs["words.0.W"] = theirs["words.0.W"] + theirs.pop("head.1.W").T
    assert gradients.keys() == theirs.keys()
    for name, g in theirs.items():
        np.testing.assert_allclose(gradients[name], g, rtol=1e-11, atol=1e-14, err_msg=name)
    for wrt in (["words.0.W"], ["head.1.b"], ["rnn.0.b", "words.0.W"]):
        _, some = model.loss_and_gradients(features, captions, wrt=wrt)
        assert sorted(some) == sorted(wrt)
        for name, g in some.items():
            np.testing.assert_array_equal(g, gradients[name])


def test_the_harness_finds_its_gradient_right() -> None:
    for check in checks_of_spec(rnnkit.parse_spec(NETWORK), "tied"):
        finding = check.run(0)
        assert finding.ok, (check.id, finding.text)


@pytest.mark.parametrize("make", [SharedDescent, FirstDescent])
def test_ranks_update_it_as_one_process_does(
    make: type[SharedDescent | FirstDescent], folder: Path, batch: tuple[Ints, Array]
) -> None:
    captions, features = batch
    pair: list[Descent] = [WholeDescent(model_of(folder)), make(model_of(folder), ALONE)]
    for number in (1, 2):
        for descent in pair:
            descent.model.loss_and_gradients(features, captions, take=descent.take)
            descent.taken()
            descent.update(number, 1.0, 0.5)
    for name, w in pair[0].model.parameters.items():
        np.testing.assert_array_equal(w, pair[1].model.parameters[name], err_msg=name)


def test_a_run_keeps_it_tied(folder: Path, tmp_path: Path) -> None:
    overrides = ["train.average=0.9"]
    spec = rnnkit.parse_spec(NETWORK, overrides=overrides)
    run = rnnkit.train(spec, folder, tmp_path / "run", progress=False)
    kept = rnnkit.load(tmp_path / "run" / "last.h5")
    assert kept.parameters.keys() == run.model.parameters.keys()
    assert kept.head.chain.links[1].params.W is kept.parameters["words.0.W"]  # type: ignore[attr-defined]  # TiedParams
    more = rnnkit.train(resume=tmp_path / "run", overrides=["train.epochs=3"], progress=False)
    spec = rnnkit.parse_spec(NETWORK, overrides=[*overrides, "train.epochs=3"])
    whole = rnnkit.train(spec, folder, tmp_path / "whole", progress=False)
    for name, w in whole.model.parameters.items():
        np.testing.assert_array_equal(more.model.parameters[name], w)


def test_what_is_frozen_is_frozen_in_both_places(folder: Path, tmp_path: Path) -> None:
    before = rnnkit.build(rnnkit.parse_spec(NETWORK), folder).parameters
    spec = rnnkit.parse_spec(NETWORK + FROZEN)
    after = rnnkit.train(spec, folder, tmp_path / "run", progress=False).model.parameters
    assert [n for n, w in before.items() if np.array_equal(w, after[n])] == ["words.0.W"]


def test_an_embedding_of_another_width_is_told_with_what_to_do(folder: Path) -> None:
    with pytest.raises(SpecError) as e:
        rnnkit.build(rnnkit.parse_spec(NETWORK, overrides=['model.head="tied"']), folder)
    assert (
        "model.head[0]: its W is (10, 12), and that of embedding, which it is tied to, is (10, 10); put "
        '{ use = "affine", units = 10 } before it, or make the embedding 12 wide'
    ) in " ".join(str(e.value).split())


def test_it_goes_out_and_comes_back(folder: Path, tmp_path: Path) -> None:
    model = model_of(folder, dtype="float32")
    export_onnx(model, tmp_path / "model.onnx")  # which compares captions before it is done
    tensors = to_torch(model)
    np.testing.assert_array_equal(tensors["head.1.weight"], tensors["words.0.weight"])
    back = from_torch(rnnkit.build(model.spec, folder), tensors)
    for name, w in model.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], w)
    tensors["head.1.weight"] = tensors["head.1.weight"] + 1.0
    with pytest.raises(DataError, match=r"ties head\.1\.W to words\.0\.W"):
        from_torch(model, tensors)


def test_an_untied_model_gives_it_its_embedding(folder: Path) -> None:
    old, new = model_of(folder, UNTIED), model_of(folder)
    rows = {row.name: row.why for row in take_over(new, old)}
    assert rows["words.0.W"] == rows["head.1.b"] == "taken of 10 of 10 words"
    np.testing.assert_array_equal(new.parameters["words.0.W"], old.parameters["words.0.W"])
