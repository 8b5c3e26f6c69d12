"""The spec reader: strict, all problems at once, each with its place; and specs written back."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from rnnkit.errors import SpecError
from rnnkit.kinds import Schedule
from rnnkit.spec import parse_spec, read_spec, write_spec
from rnnkit.spec.places import lines_of
from rnnkit_builtin.activations.leaky_relu import LeakyRelu
from rnnkit_builtin.cells.lstm import LSTM
from rnnkit_builtin.cells.vanilla import Vanilla
from rnnkit_builtin.initializers.zeros import Zeros
from rnnkit_builtin.layers.affine import Affine
from rnnkit_builtin.layers.dropout import Dropout
from rnnkit_builtin.optimizers.adam import Adam
from tests.jumps import Jumps, installed

SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.toml"))

GOOD = """\
format = 1
[model]
head = [
  { use = "dropout", rate = 0.5 },
  "affine",  # the width is that of the vocabulary
]

[[model.rnn]]
hidden = 512
cell = "lstm"

[[model.rnn]]
hidden = 256
cell = { use = "vanilla", activation = { use = "leaky-relu", slope = 0.1 } }

[train]
optimizer = { learning_rate = 2 }
"""


def problems(source: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec(source, "s.toml", overrides)
    return str(caught.value).splitlines()


def test_plugins_are_read_with_their_options() -> None:
    spec = parse_spec(GOOD)
    assert spec.model.head == (Dropout(rate=0.5), Affine())
    assert [row.cell for row in spec.model.rnn] == [LSTM(), Vanilla(LeakyRelu(slope=0.1))]
    assert spec.train.optimizer == Adam(learning_rate=2.0)
    assert type(spec.train.optimizer.learning_rate) is float


def test_six_mistakes_give_six_lines_at_their_places() -> None:
    bad = (
        GOOD.replace('"lstm"', '"lsmt"')
        .replace("slope", "slop")
        .replace("hidden = 256", 'hidden = "256"')
        .replace("rate = 0.5", "rate = 1.5")
        .replace("learning_rate = 2", "learning_rate = true")
        .replace("format = 1", "fromat = 1")
    )
    found = problems(bad)
    assert [line.split(": ")[:2] for line in found] == [
        ["s.toml:1", "fromat"],
        ["s.toml:4", "model.head[0].rate"],
        ["s.toml:10", "model.rnn[0].cell"],
        ["s.toml:13", "model.rnn[1].hidden"],
        ["s.toml:14", "model.rnn[1].cell.activation.slop"],
        ["s.toml:17", "train.optimizer.learning_rate"],
    ]
    assert "did you mean 'format'" in found[0]
    assert "must be < 1" in found[1]
    assert "no cell is called 'lsmt'; did you mean 'lstm'?" in found[2]
    assert "expected a whole number, got string '256'" in found[3]
    assert "unknown key 'slop'; did you mean 'slope'?" in found[4]
    assert "expected a number, got true" in found[5]


@pytest.mark.parametrize(
    ("edit", "line", "text"),
    [
        (("hidden = 512\n", ""), 8, "model.rnn[0]: missing key 'hidden' (whole number)"),
        (("hidden = 512", "hidden = 0"), 9, "model.rnn[0].hidden: 'hidden' must be >= 1: 0"),
        (
            ('cell = "lstm"', 'cell = { use = "lstm", forget_bias = nan }'),
            10,
            "expected a finite number, got nan",
        ),
        (
            ('cell = "lstm"', 'cell = { use = "lstm", forget_bias = -inf }'),
            10,
            "expected a finite number, got -inf",
        ),
        (
            ('cell = "lstm"', f'cell = {{ use = "lstm", forget_bias = 1{"0" * 400} }}'),
            10,
            "larger than any number",
        ),
        (("hidden = 512", "hidden = 8.7"), 9, "expected a whole number, got 8.7"),
        (('cell = "lstm"', "cell = 3"), 10, 'expected a cell name or { use = "...", ... }, got 3'),
        (('cell = "lstm"', 'cell = { use = "lstm", bias = 1 }'), 10, "unknown key 'bias'"),
        (("[train]", '[train]\nloss = "softmax"'), 17, "did you mean 'softmax-cross-entropy'?"),
        (("[model]", '[model]\ndtype = "float16"'), 3, "no 'float16' here; did you mean 'float"),
        (('"affine",', '"afine",'), 5, "no layer or activation is called 'afine'; did you mean"),
        (('"affine",', "[],"), 5, 'expected a layer or activation name or { use = "...", ... }'),
        (("[train]", "[trian]"), 16, "trian: unknown key 'trian'; did you mean 'train'?"),
        (("format = 1", "format = 2"), 1, "format: 'format' must be in (1,) (got 2)"),
        (("format = 1", "format = "), 1, "not valid TOML: Invalid value"),
        (("format = 1", "format = 1\nformat = 1"), 2, "not valid TOML: Cannot overwrite a value"),
    ],
)
def test_a_mistake_is_named_at_its_line(edit: tuple[str, str], line: int, text: str) -> None:
    (found,) = problems(GOOD.replace(*edit, 1))
    assert found.startswith(f"s.toml:{line}: ")
    assert text in found


def test_every_refused_option_of_one_table_is_reported() -> None:
    found = problems(GOOD.replace("learning_rate = 2", "learning_rate = -1, beta1 = 2, beta2 = 3"))
    assert [line.split(": ")[1] for line in found] == [
        "train.optimizer.learning_rate",
        "train.optimizer.beta1",
        "train.optimizer.beta2",
    ]


def test_overrides_change_values_and_gain_options_for_plugins() -> None:
    spec = parse_spec(
        GOOD,
        overrides=[
            "train.epochs=3",
            "model.rnn[0].cell=gru",
            "model.rnn.0.hidden = 64",
            "model.rnn[1].cell.activation=tanh",
            "model.rnn[0].cell=lstm",
            "model.rnn[0].cell.forget_bias=1",
            "model.dtype=float64",
            "train.schedule.use=cosine",
            "model.image=['affine', 'tanh']",
        ],
    )
    assert spec.train.epochs == 3
    assert spec.model.rnn[0].hidden == 64
    assert spec.model.rnn[0].cell == LSTM(forget_bias=1.0)
    assert spec.model.rnn[1].cell == Vanilla()
    assert spec.model.dtype == "float64"
    assert len(spec.model.image) == 2


def test_a_wrong_override_is_reported_as_what_was_typed() -> None:
    assert problems(GOOD, "train.epochs=3x", "train.bach=2", "model.rnn[7].hidden=3", "train") == [
        "--set train.epochs=3x: train.epochs: expected a whole number, got string '3x'",
        "--set train.bach=2: train.bach: unknown key 'bach'; did you mean 'batch'?",
        "--set model.rnn[7].hidden=3: model.rnn[7].hidden: there is no element 7: the array has 2",
        "--set train: train: expected path=value, as in train.epochs=3",
    ]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("epochs=3", "it is written train.epochs"),
        ("lr=3", "it is written train.optimizer.learning_rate"),
        ("optimizer.lr=3", "it is written train.optimizer.learning_rate"),
        ("rnn.hidden_size=3", "it is written model.rnn[0].hidden"),
        ("length=3", "it is written data.length or caption.length"),
        ("train.learning_rate=3", "it is written train.optimizer.learning_rate"),
        ("train.batch_size=3", "did you mean 'batch'?"),
        ("train.grad-clip=3", "did you mean 'clip'?"),
        ("train.optimizer.lr=3", "did you mean 'learning_rate'?"),
        ("train.optimizer.momentum=0.9", "it is an option of 'rmsprop' and 'sgd'"),
        ("model.rnn[0].num_layers=2", "write [[model.rnn]] once for each layer"),
        ("model.head[0].p=0.1", "did you mean 'rate'?"),
        ("model.dropout=0.1", "dropout is a layer: model.head = [{"),
        ("caption.beam_size=3", 'caption.decoder = { use = "beam", width = 3 }'),
    ],
)
def test_a_key_from_elsewhere_is_told_as_it_is_called_here(override: str, told: str) -> None:
    (found,) = problems(GOOD, override)
    assert found.startswith(f"--set {override}: ")
    assert told in found


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.rnn.hidden=3", "write model.rnn[0].hidden or model.rnn[1].hidden"),
        ("model.head.rate=0.1", "write model.head[0].rate or model.head[1].rate"),
        ("model.rnn[1].cell.activation.slope.x=1", "the value above it is not a table"),
    ],
)
def test_an_array_asks_which_of_its_elements(override: str, told: str) -> None:
    (found,) = problems(GOOD, override)
    assert found.startswith(f"--set {override}: ")
    assert told in found


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("cosine", 'text has quotes: write "cosine"'),
        ("{ use = warm-up, steps = 3 }", 'text has quotes: write "warm-up"'),
        ("True", "write true"),
        ("None", "leave the key out"),
    ],
)
def test_a_word_without_quotes_is_told_with_them(value: str, told: str) -> None:
    (found,) = problems(GOOD.replace("[train]", f"[train]\nschedule = {value}  # a comment"))
    assert found == f"s.toml:17: not valid TOML: Invalid value; {told}"


def test_a_word_without_quotes_in_a_table_of_an_override_is_told_with_them() -> None:
    (found,) = problems(GOOD, "train.schedule={ use = cosine }")
    assert found.startswith("--set train.schedule={ use = cosine }: train.schedule: not valid TOML")
    assert 'text has quotes: write "cosine"' in found


def test_an_array_of_tables_in_single_brackets_is_told() -> None:
    (found,) = problems('[model.rnn]\nhidden = 3\ncell = "lstm"\n')
    assert found == "s.toml:1: model.rnn: it is an array: write [[model.rnn]], in two brackets"


def test_what_is_no_spec_is_told_with_what_to_give_instead(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(SpecError, match=r"run is a folder, not a spec; give a TOML file$"):
        read_spec(run)
    (run / "spec.toml").write_text(GOOD)
    on = re.escape(f"{run / 'spec.toml'}; to go on with the run: rnnkit train --resume {run}")
    with pytest.raises(SpecError, match=f"is a folder, not a spec; the spec of that run is {on}$"):
        read_spec(run)
    with pytest.raises(SpecError, match=f"is a model file, not a spec; .* is {on}$"):
        read_spec(run / "last.h5")


@pytest.mark.parametrize("path", ["train.epochs", "train.optimizer", "train.metric", "model.dtype"])
def test_several_values_are_for_comparing(path: str) -> None:
    (found,) = problems(GOOD, f'{path}=["a", "b"]')
    assert found.endswith(
        "got an array; for several values, and a run for each, use rnnkit compare"
    )
    table, _, key = path.partition(".")
    (of_file,) = problems(
        GOOD.replace(f"[{table}]", f'[{table}]\n{key} = ["a"]').replace(
            "optimizer = {", "clip = 1 #"
        )
    )
    assert of_file.endswith("got an array")


def test_an_array_that_is_not_toml_is_no_string() -> None:
    (found,) = problems(GOOD, "model.rnn[0].cell=[gru, lstm]")
    assert found.startswith(
        "--set model.rnn[0].cell=[gru, lstm]: model.rnn[0].cell: not valid TOML: "
    )
    assert "write strings in arrays and tables in double quotes" in found
    assert parse_spec(GOOD, overrides=["data.path=a [b]"]).data.path == "a [b]"


def test_an_array_may_be_one_choice_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)

    def schedule(options: str) -> Schedule:
        override = f'train.schedule={{ use = "jumps", {options} }}'
        return parse_spec(GOOD, overrides=[override]).train.schedule

    assert schedule("steps = [3, 5]") == Jumps(steps=(3, 5))
    assert schedule('inits = "zeros"') == Jumps(inits=Zeros())
    assert schedule('inits = ["zeros", "zeros"]') == Jumps(inits=(Zeros(), Zeros()))
    (found,) = problems(GOOD, "train.schedule.use=jumps", "train.schedule.steps=3")
    assert found.endswith("train.schedule.steps: expected an array, got 3")


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_a_written_spec_reads_back_equal(file: Path) -> None:
    spec = read_spec(file)
    text = write_spec(spec)
    assert parse_spec(text) == spec
    assert write_spec(parse_spec(text)) == text


def test_an_unregistered_plugin_cannot_be_written() -> None:
    class Mine(LSTM):
        pass

    spec = parse_spec(GOOD)
    rows = (spec.model.rnn[0].__class__(hidden=3, cell=Mine()),)
    with pytest.raises(SpecError, match="no installed package registers it"):
        write_spec(spec.__class__(model=spec.model.__class__(rnn=rows)))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.toml: cannot read the spec: No such file"):
        read_spec(tmp_path / "none.toml")


TRICKY = '''\
# a [comment] = 1
"quoted key" = 1
a.b = "# no comment" # "comment"
a.'c d' = """
x = 1 \\""" ]
"""
list = [ 1, # one ]
  { x = 1, y.z = [2,
    3] }, \'\'\'
  }\'\'\', "]"
]
when = 1979-05-27 07:32:00
[table.sub] # header
k = 'it''s'
[[rows]]
r = -1.5e+3
[[rows]]
[rows.inner]
deep = true
[[rows.more]]
m = 0x_ff
'''.replace("'it''s'", '"it\'s"').replace("0x_ff", "0xff")


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [p for k, v in items for p in [(*path, k), *paths(v, (*path, k))]]


def test_every_value_of_a_tricky_document_has_its_line() -> None:
    lines = lines_of(TRICKY)
    implied = {("table",)}
    assert set(paths(tomllib.loads(TRICKY))) - implied <= set(lines)
    assert {key: lines[key] for key in [("quoted key",), ("a", "b"), ("a", "c d")]} == {
        ("quoted key",): 2,
        ("a", "b"): 3,
        ("a", "c d"): 4,
    }
    assert lines["list", 0] == 7
    assert lines["list", 1, "x"] == 8
    assert lines["list", 1, "y", "z", 1] == 9
    assert lines["list", 2] == 9
    assert lines["list", 3] == 10
    assert lines["when",] == 12
    assert lines["table", "sub", "k"] == 14
    assert lines["rows", 0, "r"] == 16
    assert lines["rows", 1] == 17
    assert lines["rows", 1, "inner", "deep"] == 19
    assert lines["rows", 1, "more", 0, "m"] == 21
