"""`rnnkit new`: a spec to start from is the one it begins as, with every key and what it means."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rnnkit
from rnnkit.cli import app
from rnnkit.describing.new_spec import new_spec
from rnnkit.errors import SpecError
from rnnkit.registry.options import element, option_types, table_of
from rnnkit.spec import (
    CaptionTable,
    DataTable,
    GroupTable,
    ModelTable,
    RewardTable,
    RnnTable,
    TrainTable,
    parse_spec,
)
from rnnkit.spec.shipped import shipped

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", shipped())
def test_it_is_the_spec_that_it_begins_as(name: str) -> None:
    text = new_spec(name)
    assert text.startswith("#:schema ./rnnkit.schema.json\n")
    assert parse_spec(text) == parse_spec(shipped()[name])
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", shipped())
def test_keys_behind_a_number_sign_have_their_defaults(name: str) -> None:
    whole = re.sub(r"^#\[.*?(?=^\[)", "", new_spec(name), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^#(?=\w+ = (?!\.\.\.))", "", whole, flags=re.MULTILINE)
    assert parse_spec(text) == parse_spec(shipped()[name])


def test_every_key_is_there_once_with_its_meaning() -> None:
    text = new_spec("scenes")
    lines = text.splitlines()
    tables = (DataTable, ModelTable, RnnTable, TrainTable, GroupTable, RewardTable, CaptionTable)
    keys = [
        key
        for table in tables
        for key, want in option_types(table).items()
        if table_of(element(want) or want) is None
    ]
    assert all(f"[[{name}]]" in text for name in ("model.rnn", "train.group"))
    for table in tables:
        for key in {*option_types(table)} & {*keys}:
            at = [i for i, line in enumerate(lines) if re.match(rf"#?{key} = ", line)]
            assert len(at) == keys.count(key), key
            assert all(lines[i - 1].startswith("# ") for i in at), key
    assert "# V, the number of different tokens, if there is no data to tell.\n" in text


def test_a_second_layer_needs_no_second_explanation() -> None:
    text = new_spec("stacked")
    assert text.count("# H, the width of its state.") == 1
    assert len(tomllib.loads(text)["model"]["rnn"]) == 2


def test_the_options_of_the_cell_stand_above_it() -> None:
    text = new_spec("stacked", cell="peephole-lstm", data='my "data"')
    spec = parse_spec(text)
    assert {type(row.cell).__name__ for row in spec.model.rnn} == {"PeepholeLSTM"}
    assert spec.data.path == 'my "data"'
    option = (
        '# Options of "peephole-lstm", as in { use = "peephole-lstm", ... }:\n#   forget_bias = '
    )
    assert option in text
    with pytest.raises(SpecError, match=r"no cell is called 'lsmt'; did you mean 'lstm'\?"):
        new_spec(cell="lsmt")
    with pytest.raises(SpecError, match=r"no spec is called 'scene'; did you mean 'scenes'\?"):
        new_spec("scene")


def test_the_command_writes_a_spec_that_trains(tiny_data: Path, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "mine.toml"
    ran = CliRunner().invoke(app, ["new", str(file), "--cell", "gru", "--data", str(tiny_data)])
    assert ran.exit_code == 0, ran.output
    assert f"rnnkit train {file}" in ran.output
    assert (tmp_path / "deep" / "rnnkit.schema.json").exists()
    run = rnnkit.train(file, out=tmp_path / "run", overrides=["train.epochs=1"])
    assert run.finished
    assert run.model.spec.data.path == str(tiny_data)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    for name in ("mine.toml", "rnnkit.schema.json"):
        (tmp_path / name).write_text("precious")
    command = [sys.executable, "-m", "rnnkit", "new", str(tmp_path / "mine.toml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr == (
        f"{tmp_path / 'mine.toml'} exists, and is not overwritten; give another name\n"
    )
    assert CliRunner().invoke(app, ["new", str(tmp_path / "other.toml")]).exit_code == 0
    assert {f.name for f in tmp_path.iterdir()} == {"mine.toml", "other.toml", "rnnkit.schema.json"}
    assert (tmp_path / "mine.toml").read_text() == "precious"
    assert (tmp_path / "rnnkit.schema.json").read_text() == "precious"


def test_a_third_partys_cell_comes_with_its_options(
    with_third_party: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "rnnkit", "new", "n.toml", "--cell", "leaky-integrator"]
    subprocess.run(command, env=with_third_party, cwd=tmp_path, check=True)
    text = (tmp_path / "n.toml").read_text()
    assert "example-cells:lstm" in text
    assert "unimportable" not in text  # nor any other that a spec could not have
    assert (
        "#   rate = 0.5  (number) a, how fast the state follows; 1 gives the vanilla cell.\n"
        'cell = "leaky-integrator"\n'
    ) in text


def test_the_wheel_has_the_specs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=dict(os.environ))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = {
            Path(name).stem: archive.read(name).decode()
            for name in archive.namelist()
            if name.startswith("rnnkit/specs/")
        }
        assert "rnnkit_builtin/cells/lstm.py" in archive.namelist()
        serving = ROOT / "rnnkit" / "captioning" / "serving"
        for file in (serving / "openapi.json", *(serving / "page").iterdir()):
            assert str(file.relative_to(ROOT)) in archive.namelist()
        archive.extractall(tmp_path / "site")
    assert found == shipped()
    code = "import rnnkit.spec.shipped as s; print(s.__file__); print(*s.shipped())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    place, names = ran.stdout.splitlines()
    assert place.startswith(str(tmp_path))
    assert names.split() == [*shipped()]
