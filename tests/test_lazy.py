"""Updates of the rows that a batch has: PyTorch's numbers, exact ones where they must be, and none of the other rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import rnnkit
from rnnkit.errors import SpecError
from rnnkit.kinds import Array, Ints, Optimizer, named_arrays
from rnnkit.numerics import sum_of_squares, sum_rows
from rnnkit.parallel import ALONE
from rnnkit.training.blocks import Course
from rnnkit.training.descent import Descent, WholeDescent
from rnnkit.training.first_descent import FirstDescent
from rnnkit.training.lazy import Looked, update_rows
from rnnkit_builtin.optimizers.adagrad import Adagrad
from rnnkit_builtin.optimizers.adam import Adam
from rnnkit_builtin.optimizers.sgd import SGD
from tests.datafolders import write_data_folder

RECORDED: Final = Path(__file__).parent / "reference" / "torch_vocabulary.npz"

NETWORK: Final = """
[model]
dtype = "float64"
words = { use = "embedding", dim = 5 }
[[model.rnn]]
hidden = 6
cell = "gru"
[train]
epochs = 3
batch = 2
clip = 0.5
lazy = true
"""

RULES: Final[dict[str, Optimizer[Any]]] = {
    "adam": Adam(0.05, epsilon=1e-20),
    "adam other": Adam(0.1, beta1=0.7, beta2=0.8, epsilon=1e-20),
    "sgd": SGD(0.1),
    "adagrad": Adagrad(0.1),
}


@pytest.mark.parametrize("case", RULES)
def test_rows_are_updated_as_pytorch_does_it(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnkit.training.lazy.UPDATE_SIZE", 8)  # two rows at once
    with np.load(RECORDED) as file:
        start, tokens, dy = (file[f"sparse/{name}"] for name in ("start", "tokens", "dy"))
        wanted = file[f"sparse/{case}/w"]
    w, course = start.copy(), Course(RULES[case])
    slots = course.optimizer.slots(w)
    for k, (rows, d) in enumerate(zip(tokens, dy, strict=True)):
        looked = Looked(frozenset(["words.0.W"]))
        looked.add(rows)
        gradient = sum_rows(d, rows, len(w))
        update_rows(w, slots, course, gradient, looked.rows(gradient), k + 1, 1.0, 1.0)
        np.testing.assert_allclose(w, wanted[k], rtol=1e-10, atol=1e-12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ("<NULL>", "<START>", "<END>", "<UNK>", *(f"w{i}" for i in range(40)))
    return write_data_folder(tmp_path_factory.mktemp("lazy") / "data", images=2, words=words)


def trained(folder: Path, out: Path, *overrides: str) -> rnnkit.Captioner:
    spec = rnnkit.parse_spec(NETWORK, overrides=list(overrides))
    return rnnkit.train(spec, folder, out, progress=False).model


def differing(one: rnnkit.Captioner, other: rnnkit.Captioner) -> list[str]:
    """The parameters that are not nearly equal."""
    pairs = zip(one.parameters.items(), other.parameters.values(), strict=True)
    return [name for (name, a), b in pairs if not np.allclose(a, b, rtol=1e-12, atol=1e-14)]


def test_without_memory_it_is_exact_and_with_it_is_not(folder: Path, tmp_path: Path) -> None:
    for name, different in (("sgd", False), ("adagrad", False), ("adam", True)):
        rule = f'train.optimizer={{ use = "{name}", learning_rate = 0.1 }}'
        lazy = trained(folder, tmp_path / name, rule)
        exact = trained(folder, tmp_path / f"{name}-exact", rule, "train.lazy=false")
        assert bool(differing(lazy, exact)) == different, name


def test_words_that_never_come_up_stay_as_they_are(folder: Path, tmp_path: Path) -> None:
    before = rnnkit.build(rnnkit.parse_spec(NETWORK), folder).parameters["words.0.W"]
    rule = 'train.optimizer={ use = "adam", weight_decay = 0.1 }'
    after = trained(folder, tmp_path / "run", rule).parameters["words.0.W"]
    with rnnkit.open_data(folder) as data:
        captions = data.split("train").captions
    inputs = np.unique(captions[:, :-1][captions[:, 1:] != 0])
    others = np.setdiff1d(np.arange(len(before)), inputs)
    assert 3 < len(others) < len(before)
    np.testing.assert_array_equal(after[others], before[others])
    assert (after[inputs] != before[inputs]).any(axis=1).all()


def test_a_run_that_stopped_goes_on_to_the_same_bits(folder: Path, tmp_path: Path) -> None:
    whole = trained(folder, tmp_path / "whole")
    trained(folder, tmp_path / "run", "train.epochs=1")
    more = rnnkit.train(resume=tmp_path / "run", overrides=["train.epochs=3"], progress=False)
    for name, w in whole.parameters.items():
        np.testing.assert_array_equal(more.model.parameters[name], w)


class TwoRanks:
    """What two ranks hear of each other, by turns: sums with what the other one has said."""

    rank, size = 0, 2

    def __init__(self, theirs: list[Array]) -> None:
        self.theirs = theirs

    def copy(self, _: Array) -> None:
        pass

    def sum(self, a: Array) -> None:
        a += self.theirs.pop(0)


def batch_of(folder: Path, rows: Ints) -> tuple[Ints, Array]:
    with rnnkit.open_data(folder) as data:
        return next(data.split("train").batches([rows], np.dtype(np.float64)))


def test_ranks_update_the_rows_of_all(folder: Path) -> None:
    """The first of two ranks has one half of a batch, and hears of the other."""
    spec = rnnkit.parse_spec(NETWORK)
    captions, features = batch_of(folder, np.arange(4))
    alone: Descent = WholeDescent(rnnkit.build(spec, folder))
    alone.looked_up(captions)
    alone.model.loss_and_gradients(features, captions, take=alone.take)
    alone.taken()
    _, theirs = alone.model.loss_and_gradients(features[2:], captions[2:], of=4)
    there = np.zeros(len(alone.model.vocabulary))
    there[np.unique(captions[2:])] = 1.0
    ranks: Any = TwoRanks([*(theirs[name] for name in alone.model.parameters), there])
    first = FirstDescent(rnnkit.build(spec, folder), ranks)
    first.looked_up(captions[:2])
    first.model.loss_and_gradients(features[:2], captions[:2], of=4, take=first.take)
    first.taken()
    assert not ranks.theirs
    assert first.square() == pytest.approx(alone.square(), rel=1e-12)
    for descent in (alone, first):
        descent.update(1, 1.0, 0.5)
    assert differing(alone.model, first.model) == []


def test_the_norm_is_that_of_the_whole_gradient(folder: Path) -> None:
    captions, features = batch_of(folder, np.arange(4))
    descent = WholeDescent(rnnkit.build(rnnkit.parse_spec(NETWORK), folder))
    descent.looked_up(captions)
    _, gradients = descent.model.loss_and_gradients(features, captions, take=descent.take)
    wanted = sum_of_squares(gradients.values())
    assert descent.square() == pytest.approx(wanted, rel=1e-13)
    kept = dict(named_arrays(descent.model.spec.train.optimizer.slots(gradients["words.0.W"])))
    assert descent.slots()["words.0.W"].keys() == kept.keys()


def test_one_rank_of_several_updates_as_one_process_does(folder: Path) -> None:
    spec, (captions, features) = rnnkit.parse_spec(NETWORK), batch_of(folder, np.arange(4))
    pair: list[Descent] = [
        WholeDescent(rnnkit.build(spec, folder)),
        FirstDescent(rnnkit.build(spec, folder), ALONE),
    ]
    for number, rows in ((1, slice(0, 2)), (2, slice(2, 4))):
        for descent in pair:
            descent.looked_up(captions[rows])
            descent.model.loss_and_gradients(features[rows], captions[rows], take=descent.take)
            descent.taken()
            descent.update(number, 1.0, 1.0)
    for name, w in pair[0].model.parameters.items():
        np.testing.assert_array_equal(w, pair[1].model.parameters[name], err_msg=name)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (
            'train.optimizer="adafactor"',
            "the optimizer must see whole arrays, and cannot leave rows",
        ),
        ('model.head=[{ use = "affine", units = 5 }, "tied"]', "every row of a tied embedding has"),
    ],
)
def test_what_has_no_rows_of_its_own_is_refused(override: str, text: str, folder: Path) -> None:
    with pytest.raises(SpecError, match=text):
        rnnkit.build(rnnkit.parse_spec(NETWORK, overrides=[override]), folder)
