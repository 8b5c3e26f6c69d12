"""Several values for one field: which specs that makes, what they are called, and what is told of mistakes."""

from __future__ import annotations

import itertools
import sys

import pytest

from rnnkit.errors import SpecError
from rnnkit.spec import parse_spec, sweep
from rnnkit.spec.overrides import read_override
from rnnkit_builtin.initializers.zeros import Zeros
from rnnkit_builtin.layers.affine import Affine
from rnnkit_builtin.layers.dropout import Dropout
from rnnkit_builtin.optimizers.adam import Adam
from rnnkit_builtin.optimizers.sgd import SGD
from tests.jumps import Jumps, installed

SPEC = """
[[model.rnn]]
hidden = 8
cell = "lstm"
[[model.rnn]]
hidden = 8
cell = { use = "vanilla", activation = "tanh" }
[train]
optimizer = "sgd"
"""


def labels(*overrides: str) -> list[str]:
    return [variant.label for variant in sweep(SPEC, overrides=overrides)]


def test_without_arrays_there_is_one_spec_as_it_was() -> None:
    (one,) = sweep(SPEC, overrides=["train.epochs=3", "model.rnn[0].cell=gru"])
    assert one.overrides == ("train.epochs=3", "model.rnn[0].cell=gru")
    assert one.label == ""


def test_a_grid_has_every_combination_the_last_varying_fastest() -> None:
    overrides = [
        "train.optimizer.learning_rate=[1e-3, 3, 2.5e7]",
        "train.batch=7",
        "train.epochs=[4, 5]",
        'model.rnn.1.cell.activation=["tanh", "sigmoid"]',
    ]
    found = [parse_spec(SPEC, overrides=v.overrides) for v in sweep(SPEC, overrides=overrides)]
    wanted = [
        parse_spec(
            SPEC,
            overrides=[
                f"train.optimizer.learning_rate={rate}",
                "train.batch=7",
                f"train.epochs={epochs}",
                f"model.rnn[1].cell.activation={activation}",
            ],
        )
        for rate, epochs, activation in itertools.product(
            ("1e-3", "3", "2.5e7"), (4, 5), ("tanh", "sigmoid")
        )
    ]
    assert found == wanted
    assert labels(*overrides)[:3] == [
        "learning_rate=0.001, epochs=4, activation=tanh",
        "learning_rate=0.001, epochs=4, activation=sigmoid",
        "learning_rate=0.001, epochs=5, activation=tanh",
    ]
    assert len(set(labels(*overrides))) == 12


def test_more_combinations_than_anybody_compares_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[sweep.__module__], "MOST_RUNS", 8)
    rates = "train.optimizer.learning_rate=[1e-3, 2e-3, 4e-3]"
    assert len(sweep(SPEC, overrides=["model.seed=[1, 2]", rates])) == 6
    with pytest.raises(
        SpecError, match=r"--set train\.optimizer.*: that makes more than 8 combinat"
    ):
        sweep(SPEC, overrides=["model.seed=[1, 2, 3]", rates])


def test_plugins_are_values_with_their_options_or_without() -> None:
    text = 'train.optimizer=[{ use = "adam", learning_rate = 1e-3 }, "adam", { use = "sgd" }]'
    variants = sweep(SPEC, overrides=[text])
    assert [parse_spec(SPEC, overrides=v.overrides).train.optimizer for v in variants] == [
        Adam(learning_rate=1e-3),
        Adam(),
        SGD(),
    ]
    assert labels(text) == [
        "optimizer=adam(learning_rate=0.001)",
        "optimizer=adam",
        "optimizer=sgd",
    ]
    assert labels('train.optimizer.use=["adam", "sgd"]') == ["use=adam", "use=sgd"]


def test_a_chain_takes_an_array_and_an_array_of_arrays_is_several() -> None:
    (one,) = sweep(SPEC, overrides=['model.head=[{ use = "dropout", rate = 0.5 }, "affine"]'])
    assert parse_spec(SPEC, overrides=one.overrides).model.head == (Dropout(0.5), Affine())
    text = 'model.head=[["affine"], [{ use = "dropout", rate = 0.5 }, "affine"]]'
    variants = sweep(SPEC, overrides=[text])
    assert [parse_spec(SPEC, overrides=v.overrides).model.head for v in variants] == [
        (Affine(),),
        (Dropout(0.5), Affine()),
    ]
    assert labels(text) == ["head=[affine]", "head=[dropout(rate=0.5), affine]"]
    assert labels("model.rnn[0].input=[]") == [""]
    assert labels('model.rnn[0].input=[[], ["tanh"]]') == ["input=[]", "input=[tanh]"]
    assert labels('model.head[0]=["affine", "tanh"]') == ["head[0]=affine", "head[0]=tanh"]
    rows = '{ hidden = 3, cell = "gru" }'
    assert labels(f"model.rnn=[{rows}, {rows}]") == [""]
    assert len(labels(f"model.rnn=[[{rows}], [{rows}, {rows}]]")) == 2


def test_a_plugins_own_options_say_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)

    def schedules(*overrides: str) -> list[object]:
        variants = sweep(SPEC, overrides=["train.schedule=jumps", *overrides])
        return [parse_spec(SPEC, overrides=v.overrides).train.schedule for v in variants]

    assert schedules("train.schedule.steps=[1, 2]") == [Jumps(steps=(1, 2))]
    assert schedules("train.schedule.steps=[[1, 2], [3]]") == [
        Jumps(steps=(1, 2)),
        Jumps(steps=(3,)),
    ]
    assert schedules('train.schedule.inits=["zeros", "zeros"]') == [Jumps(inits=(Zeros(), Zeros()))]
    assert schedules("train.schedule.rate=[1, 2]") == [Jumps(rate=1.0), Jumps(rate=2.0)]


def test_the_plugin_of_each_combination_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """`steps` takes an array of one of them, and none of the other."""
    installed(monkeypatch)
    kinds = 'train.schedule=["jumps", { use = "step", every = 1 }]'
    assert labels(kinds, "train.schedule.steps=[[1, 2], [3]]") == [
        "schedule=jumps, steps=[1, 2]",
        "schedule=jumps, steps=[3]",
        "schedule=step(every=1)",
    ]
    assert labels(kinds, "train.schedule.every=[1, 2]") == [
        "schedule=jumps",
        "schedule=step(every=1), every=1",
        "schedule=step(every=1), every=2",
    ]


def test_labels_are_as_long_as_it_takes_to_tell_paths_apart() -> None:
    assert labels("model.rnn[0].hidden=[1, 2]") == ["hidden=1", "hidden=2"]
    assert labels("model.rnn[0].hidden=[1]", "model.rnn[1].hidden=[2]", "train.batch=[3]") == [
        "rnn[0].hidden=1, rnn[1].hidden=2, batch=3"
    ]
    assert labels("data.raw=[true, false]") == ["raw=true", "raw=false"]
    assert labels('model.rnn[0].cell=[{ activation = { use = "a", "b c" = [1] } }]') == [
        "cell=(activation=a(b c=[1]))"
    ]


def test_a_value_that_a_later_one_replaces_does_not_count() -> None:
    assert labels("train.epochs=[1, 2]", "train.epochs=3") == [""]
    assert labels("train.optimizer.momentum=[0.1, 0.2]", "train.optimizer=adam") == [""]
    assert labels("train.epochs=[1, 2]", "train.epochs=[3, 4]") == ["epochs=3", "epochs=4"]


@pytest.mark.parametrize(
    "override", ["train.bach=[1, 2]", "model.rnn[7].hidden=[1, 2]", "train.epochs.x=[1, 2]"]
)
def test_what_has_no_place_is_told_once(override: str) -> None:
    (one,) = sweep(SPEC, overrides=[override])
    assert one.overrides == (override,)
    with pytest.raises(SpecError) as told:
        parse_spec(SPEC, overrides=one.overrides)
    assert len(str(told.value).splitlines()) == 1


def test_a_wrong_value_is_the_mistake_of_its_spec_alone() -> None:
    good, bad = sweep(SPEC, overrides=["train.epochs=[3, 0]"])
    assert parse_spec(SPEC, overrides=good.overrides).train.epochs == 3
    with pytest.raises(SpecError, match=r"^--set train.epochs=0: train.epochs: .* must be >= 1"):
        parse_spec(SPEC, overrides=bad.overrides)


def test_an_array_inside_a_value_is_not_looked_for() -> None:
    (one,) = sweep(SPEC, overrides=['train.optimizer={ use = "adam", beta1 = [0.5, 0.9] }'])
    with pytest.raises(SpecError, match=r"train.optimizer.beta1: expected a number, got an array$"):
        parse_spec(SPEC, overrides=one.overrides)


def test_an_empty_array_is_no_sweep() -> None:
    with pytest.raises(SpecError) as told:
        sweep(SPEC, overrides=["train.epochs=3", "train.batch=[]"])
    assert str(told.value) == (
        "--set train.batch=[]: train.batch: the array is empty; give it a value at least"
    )


@pytest.mark.parametrize(
    "value",
    ['"a\\"b\\u007f\\n"', "-0.0", "inf", "1e300", "nan", "07:32:00", '{ "a b" = [{}, [[1]]] }'],
)
def test_values_come_through_as_they_are(value: str) -> None:
    """Whatever is in the array; that the reader then refuses it is no matter here."""
    (one,) = sweep(SPEC, overrides=[f"train.clip=[{value}]"])
    # As text, for nan is not equal to itself, and -0.0 is to 0.0.
    assert repr(read_override(one.overrides[0])) == repr(read_override(f"train.clip={value}"))
