"""Groups of parameters: which they mean, how each learns, and what is not computed of frozen ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnkit
from rnnkit.errors import SpecError
from rnnkit.kinds import Array, Ints, Optimizer
from rnnkit.network.groups import ways
from rnnkit.network.model import Captioner
from rnnkit.parallel import ALONE
from rnnkit.spec import GroupTable, TrainTable
from rnnkit.training import Trainer
from rnnkit.training.blocks import Course
from rnnkit.training.descent import Descent, WholeDescent
from rnnkit.training.first_descent import FirstDescent
from rnnkit.training.shared_descent import SharedDescent
from rnnkit_builtin.layers.affine import Affine
from rnnkit_builtin.optimizers.adamax import Adamax
from rnnkit_builtin.optimizers.adamw import AdamW
from rnnkit_builtin.optimizers.sgd import SGD
from tests import rank_jobs
from tests.datafolders import WORDS, write_data_folder
from tests.ranks import finish, needs_mpi, start
from tests.specs import LSTM
from tests.test_training import interrupt_at, same_run
from tests.torch_reference import cases, everything, parameters

NETWORK = """
[model]
dtype = "float64"
inject = "{inject}"
image = ["tanh", {{ use = "affine", units = 6 }}]
words = [{{ use = "embedding", dim = 6 }}, "layer-norm"]
head = [{{ use = "dropout", rate = 0.2 }}, {{ use = "affine", units = 7 }}, "tanh", "affine"]
[[model.rnn]]
hidden = 3
cell = "lstm"
[[model.rnn]]
hidden = 3
cell = "{cell}"
input = {{ use = "affine", units = 4 }}
"""

PARTS = ("image.", "words.", "rnn.0.", "rnn.1.input.", "rnn.1.", "head.1.W", "head.3.")


def network(tmp_path: Path, inject: str, cell: str = "gru") -> tuple[Captioner, Array, Ints]:
    folder = write_data_folder(tmp_path / "data")
    with rnnkit.open_data(folder) as data:
        model = rnnkit.build(rnnkit.parse_spec(NETWORK.format(inject=inject, cell=cell)), data)
        split = data.split("train")
        return model, split.features.rows(split.image_idxs, model.dtype), split.captions


@pytest.mark.parametrize("inject", ["init", "pre", "par", "merge"])
def test_gradients_of_some_parameters_are_those_of_all(inject: str, tmp_path: Path) -> None:
    model, features, captions = network(tmp_path, inject)

    def gradients(**options: Any) -> tuple[float, dict[str, Array]]:
        rng = np.random.default_rng(3)
        return model.loss_and_gradients(features, captions, rng, **options)

    loss, whole = gradients(wrt_features=True)
    names = [*model.parameters]
    wanted = [[n for n in names if n.startswith(p)] for p in PARTS]
    wanted += [[n for n in names if n not in some] for some in wanted]
    for some in wanted:
        taken: dict[str, Array] = {}
        value, found = gradients(wrt=some, take=taken.update)
        assert value == loss
        assert [*found] == some
        assert taken.keys() == found.keys()
        for name, gradient in found.items():
            np.testing.assert_array_equal(gradient, whole[name], err_msg=f"{name} of {some}")
    _, only = gradients(wrt=["head.3.b"], wrt_features=True)
    np.testing.assert_array_equal(only["features"], whole["features"])


def test_nothing_is_computed_of_what_lies_below_all_that_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, features, captions = network(tmp_path, "init")
    went: list[str] = []
    for cls, method in (
        (type(model.body.levels[0].rnn), "_steps_back"),
        (type(model.body.words.links[0].layer), "backward"),
        (Affine, "backward"),
        (Affine, "backward_input"),
    ):
        monkeypatch.setattr(cls, method, counting(getattr(cls, method), method, went))
    model.loss_and_gradients(features, captions, wrt=["head.3.W"])
    assert went == ["backward"]
    went.clear()
    model.loss_and_gradients(features, captions, wrt=["rnn.1.Wh"])
    assert went == ["backward_input", "backward_input", "_steps_back"]


def counting(method: Callable[..., Any], name: str, went: list[str]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        went.append(name)
        return method(*args, **kwargs)

    return call


OPTIMIZERS: dict[str, Optimizer[Any]] = {
    "adamw": AdamW(0.01, weight_decay=0.1),
    "sgd": SGD(0.1, momentum=0.9, weight_decay=0.1),
    "adamax": Adamax(0.01, weight_decay=0.1),
}
GROUPS = (
    GroupTable("words.*", learning_rate=0.25),
    GroupTable("head.*", weight_decay=0.0, learning_rate=2.0),
    GroupTable(("head.*.W",), weight_decay=0.4, learning_rate=1.0),
)


class Arrays:
    """Stands for a model that has nothing but parameters."""

    def __init__(self, parameters: dict[str, Array]) -> None:
        self.parameters = parameters
        self.spec = rnnkit.parse_spec(LSTM)


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_groups_learn_as_parameter_groups_of_torch(case: str) -> None:
    recorded = parameters(everything(), "groups/")
    w = {name: a.copy() for name, a in parameters(recorded, "w.").items()}
    found = ways(TrainTable(optimizer=OPTIMIZERS[case], group=GROUPS), tuple(w), 1)
    descent = WholeDescent(
        Arrays(w),  # type: ignore[arg-type]  # stands for one
        {name: Course(way.optimizer, way.factor) for name, way in found.items()},
    )
    gradients = parameters(recorded, "g.")
    for number in range(1, 21):
        descent.take({name: g[number - 1] for name, g in gradients.items()})
        descent.update(number, 1.0, 1.0)
    for name, wanted in cases("groups")[case].items():
        np.testing.assert_allclose(w[name], wanted, rtol=1e-10, atol=1e-15, err_msg=name)


FROZEN = """
[[train.group]]
parts = ["words.*", "rnn.0.Wx"]
frozen = true
"""


def test_frozen_parts_keep_their_bits_and_have_no_slots(spec: Path, tiny_data: Path) -> None:
    spec.write_text(spec.read_text() + FROZEN)
    with rnnkit.open_data(tiny_data) as data:
        model, train = rnnkit.build(spec, data), data.split("train")
        trainer = Trainer(model, train)
        before = {name: w.copy() for name, w in model.parameters.items()}
        batch = train.captions[:16], train.features.rows(train.image_idxs[:16], model.dtype)
        for _ in range(100):
            trainer.update(*batch)
    frozen = {name for name, w in before.items() if np.array_equal(w, model.parameters[name])}
    assert frozen == {"words.0.W", "rnn.0.Wx"}
    assert trainer.slots().keys() == before.keys() - frozen


def test_the_norm_is_that_of_what_learns(spec: Path, tiny_data: Path) -> None:
    spec.write_text(spec.read_text() + FROZEN)
    with rnnkit.open_data(tiny_data) as data:
        model, train = rnnkit.build(spec, data, ["train.clip=5.0"]), data.split("train")
        batch = train.captions[:16], train.features.rows(train.image_idxs[:16], model.dtype)
        _, gradients = model.loss_and_gradients(batch[1], batch[0])
        step = Trainer(model, train).update(*batch)
    learn = [g for name, g in gradients.items() if name not in ("words.0.W", "rnn.0.Wx")]
    assert step.gradient_norm == pytest.approx(
        np.sqrt(sum(float(np.sum(g.astype(float) ** 2)) for g in learn)), rel=1e-6
    )


THAWING = """
average = 0.9
[[train.group]]
parts = "*"
frozen = true
until = 1
[[train.group]]
parts = "head.*"
frozen = false
[[train.group]]
parts = "image.*"
learning_rate = 0.5
weight_decay = 0.1
since = 2
[[train.group]]
parts = "head.*"
frozen = true
since = 3
"""


def thawing(spec: Path) -> None:
    spec.write_text(spec.read_text().replace("adam", "adamw") + THAWING)


def test_what_begins_to_learn_later_is_as_if_it_began_then(spec: Path, tiny_data: Path) -> None:
    thawing(spec)
    with rnnkit.open_data(tiny_data) as data:
        model, train = rnnkit.build(spec, data), data.split("train")
        trainer = Trainer(model, train)
        batch = train.captions[:16], train.features.rows(train.image_idxs[:16], model.dtype)
        for _ in range(trainer.epoch_steps):
            trainer.update(*batch)
        assert {name.partition(".")[0] for name in trainer.slots()} == {"head"}
        before = model.parameters["rnn.0.b"].copy()
        gradient = model.loss_and_gradients(batch[1], batch[0])[1]["rnn.0.b"]
        assert np.count_nonzero(gradient) > 50
        trainer.update(*batch)
        change = model.parameters["rnn.0.b"] - before
    # Adam's first change is the learning rate in size: 5e-3, halved by the schedule; its decay is 1e-2 of that.
    moved = np.abs(gradient) > 1e-4
    np.testing.assert_allclose(np.abs(change[moved]), 2.5e-3, rtol=0.05)
    assert trainer.place.begun["rnn.0.b"] == trainer.epoch_steps
    assert "head.0.W" not in trainer.place.begun


@pytest.mark.parametrize("at", [7, 8, 9, 17])
def test_a_run_with_groups_and_averages_goes_on_bit_for_bit(
    at: int, spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    thawing(spec)
    wanted = rnnkit.train(spec, tiny_data, tmp_path / "whole")
    broken = rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=interrupt_at(at))
    assert not broken.finished
    run = rnnkit.train(resume=tmp_path / "run")
    assert run.finished
    same_run(run, wanted)


def test_a_run_goes_on_with_other_groups(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    rnnkit.train(spec, tiny_data, tmp_path / "run", ["train.epochs=1"])
    settings = tmp_path / "run" / "spec.toml"
    text = settings.read_text().replace("epochs = 1\n", "epochs = 2\n")
    settings.write_text(text.replace("\n[caption]", f"{FROZEN}\n[caption]"))
    told: list[str] = []
    more = rnnkit.train(resume=tmp_path / "run", on_edit=told.append)
    assert "train.group[0].frozen = True" in told[0]
    kept = more.model
    assert kept.spec.train.group[0].parts == ("words.*", "rnn.0.Wx")
    overrides = ["train.epochs=3", "train.group[0].frozen=false"]
    thawed = rnnkit.train(resume=tmp_path / "run", overrides=overrides)
    for name, w in thawed.model.parameters.items():
        assert not np.array_equal(w, kept.parameters[name]), name


@pytest.mark.parametrize("make", [SharedDescent, FirstDescent])
def test_ranks_update_groups_as_one_process_does(
    make: Callable[..., Descent], spec: Path, tiny_data: Path
) -> None:
    thawing(spec)
    with rnnkit.open_data(tiny_data) as data:
        one, other = rnnkit.build(spec, data), rnnkit.build(spec, data)
    found = ways(one.spec.train, tuple(one.parameters), 2)
    courses = {n: Course(w.optimizer, w.factor, 2) for n, w in found.items() if n != "rnn.0.Wh"}
    pair: list[Descent] = [WholeDescent(one, courses), make(other, ALONE, courses)]
    rng = np.random.default_rng(0)
    for number in (3, 4):
        gradients = {n: rng.standard_normal(one.parameters[n].shape) for n in courses}
        single = {n: g.astype(np.float32) for n, g in gradients.items()}
        for descent in pair:
            descent.take(single)
            descent.taken()
            descent.square()
            descent.update(number, 0.5, 0.25)
        slots = pair[1].slots()
        pair[1] = make(pair[1].model, ALONE, courses)
        pair[1].set_slots(slots)
    for name, w in one.parameters.items():
        np.testing.assert_array_equal(w, pair[1].model.parameters[name], err_msg=name)
    own = pair[0].slots()
    assert own.keys() == slots.keys() == courses.keys()
    for name, arrays in own.items():
        for key, a in arrays.items():
            np.testing.assert_array_equal(a, slots[name][key])


@needs_mpi
@pytest.mark.heavy
@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
def test_two_ranks_come_to_the_numbers_of_one(
    optimizer: str, tiny_data: Path, tmp_path: Path
) -> None:
    finish(start(2, "groups", tiny_data, tmp_path, optimizer))
    alone = rnnkit.train(rank_jobs.grouped(optimizer), tiny_data, tmp_path / "alone")
    shared = rnnkit.load(tmp_path / "run" / "last.h5")
    best = [rnnkit.load(folder / "best.h5") for folder in (alone.folder, tmp_path / "run")]
    for name, w in alone.model.parameters.items():
        np.testing.assert_allclose(shared.parameters[name], w, rtol=1e-8, atol=1e-10, err_msg=name)
        np.testing.assert_allclose(best[1].parameters[name], best[0].parameters[name], 1e-8, 1e-10)
    finished = rnnkit.train(resume=tmp_path / "run", overrides=["train.epochs=5"])
    assert finished.finished


@pytest.mark.parametrize(
    ("group", "place", "text"),
    [
        (
            'parts = "wrods.*"',
            "parts",
            "no parameter has a name like 'wrods.*'; did you mean 'words.*'?",
        ),
        (
            'parts = "rnn.0"\nfrozen = true',
            "parts",
            "no parameter has a name like 'rnn.0'; did you mean",
        ),
        ('parts = "words.*"', "", "the group changes nothing: give it frozen, learning_rate or"),
        ('parts = "*"\nfrozen = true\nsince = 2', "", "in epoch 2 all parameters are frozen"),
        (
            'parts = "*"\nfrozen = true\nsince = 3\nuntil = 2',
            "until",
            "begins in epoch 3, after its end in 2",
        ),
        ('parts = "*"\nweight_decay = 0.1', "weight_decay", "adagrad has no weight_decay"),
        ('parts = "*"\nfreeze = true', "freeze", "did you mean 'frozen'?"),
        ('parts = "*"\nfrom = 2', "from", "did you mean 'since'?"),
    ],
)
def test_groups_that_make_no_sense_are_told_with_their_line(
    group: str, place: str, text: str, spec: Path, tiny_data: Path
) -> None:
    whole = spec.read_text().replace('use = "adam"', 'use = "adagrad"')
    spec.write_text(f"{whole}[[train.group]]\n{group}\n")
    with pytest.raises(SpecError) as caught:
        rnnkit.build(spec, tiny_data)
    assert text in str(caught.value)
    at = "train.group" if "all parameters" in text else f"train.group[0]{place and '.'}{place}"
    assert f": {at}: " in str(caught.value)
    assert str(caught.value).startswith(f"{spec}:1")


def test_the_last_group_that_says_something_counts() -> None:
    table = TrainTable(
        optimizer=AdamW(),
        group=(
            GroupTable("*", frozen=True, learning_rate=0.5),
            GroupTable(("head.*", "image.*"), frozen=False),
            GroupTable("head.*.W", weight_decay=0.3, since=2, until=3),
        ),
    )
    names = ("image.0.W", "words.0.W", "head.0.W", "head.0.b")
    found = [ways(table, names, epoch) for epoch in (1, 2, 3, 4)]
    assert all(set(way) == {"image.0.W", "head.0.W", "head.0.b"} for way in found)
    assert all(w.factor == 0.5 for way in found for w in way.values())
    decays = [[way[n].optimizer.weight_decay for n in way] for way in found]  # type: ignore[attr-defined]  # AdamW's
    assert decays[0] == decays[3] == [0.01] * 3
    assert decays[1] == decays[2] == [0.01, 0.3, 0.01]


def test_a_word_that_is_frozen_is_a_row_like_others(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data", words=WORDS)
    text = (
        NETWORK.format(inject="par", cell="vanilla")
        + '[[train.group]]\nparts = "head.*.b"\nfrozen = true\n'
    )
    run = rnnkit.train(rnnkit.parse_spec(text), folder, tmp_path / "run")
    assert not run.model.parameters["head.3.b"].any()
    assert run.model.parameters["head.3.W"].any()
