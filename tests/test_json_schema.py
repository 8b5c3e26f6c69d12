"""The JSON Schema of specs, by an independent validator: it takes what the reader takes, and finds what the reader finds."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from rnnkit.describing.json_schema import spec_schema
from rnnkit.errors import SpecError
from rnnkit.kinds import KINDS
from rnnkit.registry import entries_of
from rnnkit.spec import parse_spec, write_spec
from rnnkit.spec.shipped import shipped

SMALLEST = '[[model.rnn]]\nhidden = 3\ncell = "lstm"\n'


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(spec_schema()))
    Draft7Validator.check_schema(made)
    return made


def found(schema: dict[str, Any], source: str) -> list[str]:
    """Path and message of each mistake that the validator finds."""
    errors = Draft7Validator(schema).iter_errors(tomllib.loads(source))
    return [f"{e.json_path}: {e.message}" for e in errors]


@pytest.mark.parametrize("name", shipped())
def test_every_spec_that_comes_with_rnnkit_is_valid(name: str, schema: dict[str, Any]) -> None:
    text = shipped()[name]
    assert found(schema, text) == []
    for qualified in (False, True):
        resolved = write_spec(parse_spec(text), qualified=qualified)
        assert found(schema, resolved) == []


@pytest.mark.parametrize(
    "more",
    [
        "optimizer = { learning_rate = 2 }",
        'optimizer = { use = "rnnkit:sgd", momentum = 0.9 }',
        'schedule = { use = "warm-up", steps = 3, then = { use = "step", every = 2 } }',
        'loss = "softmax-cross-entropy"\nmetric = "cider"\nclip = 1',
    ],
)
def test_what_the_reader_takes_is_valid(more: str, schema: dict[str, Any]) -> None:
    source = f"{SMALLEST}[train]\n{more}\n"
    parse_spec(source)
    assert found(schema, source) == []


@pytest.mark.parametrize(
    "chain",
    [
        '"affine"',
        '["tanh", "affine"]',
        '{ units = 3, weights = { use = "normal", std = 0.1 } }',
        "[]",
    ],
)
def test_a_chain_is_one_layer_or_several(chain: str, schema: dict[str, Any]) -> None:
    source = f"[model]\nimage = {chain}\n{SMALLEST}"
    parse_spec(source)
    assert found(schema, source) == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "$: 'model' is a required property"),
        ('[[model.rnn]]\ncell = "lstm"', "$.model.rnn[0]: 'hidden' is a required property"),
        (f"{SMALLEST}hiden = 3", "$.model.rnn[0]: Additional properties are not allowed ('hiden'"),
        (f"{SMALLEST}[trian]", "$: Additional properties are not allowed ('trian' was unexpected)"),
        ("model.rnn = []", "$.model.rnn: [] should be non-empty"),
        (f"format = 2\n{SMALLEST}", "$.format: 2 is not one of [1]"),
        (SMALLEST.replace("3", "0"), "$.model.rnn[0].hidden: 0 is less than the minimum of 1"),
        (SMALLEST.replace("3", '"3"'), "$.model.rnn[0].hidden: '3' is not of type 'integer'"),
        (SMALLEST.replace("lstm", "lsmt"), "$.model.rnn[0].cell: 'lsmt' is not valid"),
        (f"{SMALLEST}[train]\nclip = 0", "$.train.clip: 0 is less than or equal to the minimum of"),
        (f'{SMALLEST}[train]\nmetric = "belu"', "$.train.metric: 'belu' is not one of ['nats',"),
        (f'{SMALLEST}[train]\nschedule = "warm-up"', "$.train.schedule: 'warm-up' is not valid"),
        (f"{SMALLEST}[train]\noptimizer = {{ lr = 1 }}", "$.train.optimizer: {'lr': 1} is not"),
        (f"{SMALLEST}[train]\noptimizer = {{ beta1 = 1 }}", "$.train.optimizer: {'beta1': 1} is"),
        (
            f'{SMALLEST}[train]\nschedule = {{ use = "cosine", flor = 0.1 }}',
            "$.train.schedule: {'use': 'cosine', 'flor': 0.1} is not valid",
        ),
        (f'[model]\nwords = ["embedding"]\n{SMALLEST}', "$.model.words: ['embedding'] is not"),
    ],
)
def test_what_the_reader_refuses_is_found(source: str, told: str, schema: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        parse_spec(source)
    (line,) = found(schema, source)
    assert line.startswith(told)


def test_keys_have_their_meaning_default_and_bounds(schema: dict[str, Any]) -> None:
    train = schema["properties"]["train"]["properties"]
    assert train["batch"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 1_000_000_000,
        "description": "N, captions an update.",
        "default": 50,
    }
    assert train["schedule"]["default"] == "constant"
    assert train["optimizer"]["default"]["learning_rate"] == 1e-3
    beta1 = schema["$defs"]["optimizer.rnnkit.adam"]["properties"]["beta1"]
    assert (beta1["minimum"], beta1["exclusiveMaximum"], beta1["default"]) == (0.0, 1.0, 0.9)
    cells = [c for c in schema["$defs"]["cell"]["anyOf"] if c.get("const") == "lstm"]
    assert "c' = f c + i g" in cells[0]["description"]


def test_every_plugin_that_comes_with_rnnkit_is_in_it(schema: dict[str, Any]) -> None:
    names = {f"{k.noun}.{e.package}.{e.name}" for k in KINDS for e in entries_of(k)}
    assert names | {kind.noun for kind in KINDS} == schema["$defs"].keys()


def test_a_third_partys_plugins_are_in_it_with_their_options(
    with_third_party: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "schema.json"
    command = [sys.executable, "-m", "rnnkit", "schema", "--out", str(file)]
    ran = subprocess.run(command, env=with_third_party, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    schema = json.loads(file.read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    theirs = 'cell = { use = "leaky-integrator", rate = 0.25 }'
    good = SMALLEST.replace('cell = "lstm"', theirs)
    assert found(schema, good) == []
    assert len(found(schema, good.replace("0.25", "1.25"))) == 1
    assert len(found(schema, good.replace("rate", "rat"))) == 1
    (missing,) = found(schema, good.replace("hidden = 3", ""))
    assert missing == "$.model.rnn[0]: 'hidden' is a required property"
    rate = schema["$defs"]["cell.example-cells.leaky-integrator"]["properties"]["rate"]
    assert rate == {
        "type": "number",
        "exclusiveMinimum": 0.0,
        "maximum": 1.0,
        "description": "a, how fast the state follows; 1 gives the vanilla cell.",
        "default": 0.5,
    }
    # Two packages have a cell of this name, so neither is meant by it; broken ones are nobody's.
    assert len(found(schema, SMALLEST)) == 1
    assert found(schema, SMALLEST.replace("lstm", "rnnkit:lstm")) == []
    assert len(found(schema, SMALLEST.replace("lstm", "misfit"))) == 1
