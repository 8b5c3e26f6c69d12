"""Everything works in a folder of any name; what cannot be written down of its name is told."""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rnnkit.cli import app
from rnnkit.errors import SpecError
from rnnkit.spec import parse_spec, write_spec
from rnnkit.training.folders import find_runs
from tests.hostile.case import Base
from tests.hostile.places import calls, furnished
from tests.specs import LSTM

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="others have no such names")

CONTROLS, REST = "two\nlines\t\x1b[31m", "[x]\"'\\$a$ %s{}é日"
ODD = CONTROLS + REST
NO_TEXT = "caf\udce9"  # bytes of an older encoding


def called(*args: str) -> Result:
    return CliRunner().invoke(app, args, catch_exceptions=False)


def made(tmp_path: Path, name: str, data: Path, run: Path) -> Path:
    run = Path(shutil.copytree(run, tmp_path / "run"))
    called("export", str(run), str(run / "weights.safetensors"))
    spec = tmp_path / "spec.toml"
    spec.write_text(LSTM)
    return furnished(tmp_path / name, Base(data, run, spec))


def test_every_command_works_in_a_folder_of_an_odd_name(
    tmp_path: Path, tiny_data: Path, small_run: Path
) -> None:
    place = made(tmp_path, ODD, tiny_data, small_run)
    epoch = ("--set", "train.epochs=1", "--out", f"{place}/first")
    assert called("train", f"{place}/own.toml", "--data", f"{place}/data", *epoch).exit_code == 0
    failed = [
        (args, ran.output)
        for args in calls(place)
        if (ran := called(*args)).exit_code or "\x1b[31m" in ran.output
    ]
    assert failed == []
    (first,) = [found for found in find_runs(place) if found.folder.name == "first"]
    assert first.spec == rf"{tmp_path}/two\nlines\t\x1b[31m{REST}/own.toml"


def test_a_folder_that_is_no_text_is_told_where_a_spec_would_hold_it(
    tmp_path: Path, tiny_data: Path, small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = made(tmp_path, NO_TEXT, tiny_data, small_run)
    train = ("train", f"{place}/own.toml", "--out", f"{place}/new", "--set", "train.epochs=1")
    with pytest.raises(
        SpecError, match=r"a name that is not UTF-8, .*; rename the folder that has"
    ):
        called(*train, "--data", f"{place}/data")
    assert not (place / "new").exists()
    monkeypatch.chdir(place)
    assert called(*train, "--data", "data").exit_code == 0
    assert called("train", "--resume", f"{place}/new", "--set", "train.epochs=2").exit_code == 0


def test_photos_that_are_left_out_are_listed_line_by_line(
    tmp_path: Path, tiny_data: Path, small_run: Path
) -> None:
    place = made(tmp_path, f"{NO_TEXT}\n", tiny_data, small_run)
    (prepare,) = [args for args in calls(place) if "prepare" in args]
    assert called(*prepare).exit_code == 0
    with (place / "own" / "left_out.txt").open(encoding="utf-8") as file:
        why = dict(csv.reader(file, delimiter="\t"))
    photos = rf"{tmp_path}/caf\udce9\n/photos"
    assert sorted(why) == ["3.png", "4.png"]
    assert why["3.png"].startswith(f"{photos}/3.png is not a picture in JPEG, PNG, ")
    assert why["4.png"] == f"{photos} has no photo of this name"


def test_a_spec_holds_any_text(tmp_path: Path) -> None:
    spec = parse_spec(LSTM).with_data(tmp_path / ODD)
    assert parse_spec(write_spec(spec)).data.path == f"{tmp_path}/{ODD}"
