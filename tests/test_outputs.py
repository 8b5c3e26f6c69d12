"""Outputs replace nothing that they have not made."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rnnkit.cli import app
from rnnkit.errors import CheckpointError, RnnkitError
from rnnkit.system.outputs import MODEL, RESULTS, check_output
from rnnkit.training import train
from tests.specs import TRAINED


def run(*args: str | Path) -> str | None:
    """What a call is refused with, in this process; None if it ends well."""
    result = CliRunner().invoke(app, [*map(str, args)])
    if isinstance(result.exception, RnnkitError):
        return str(result.exception)
    assert result.exit_code == 0, result.output
    return None


def test_somebodys_file_stays_unless_it_is_forced(tmp_path: Path) -> None:
    file = tmp_path / "notes.h5"
    file.write_text("mine")
    with pytest.raises(
        CheckpointError, match=r"notes\.h5 exists and is not a model of rnnkit, so it"
    ):
        check_output(file, MODEL)
    check_output(file, MODEL, force=True)
    check_output(tmp_path / "new.h5", MODEL)
    file.write_bytes(b"rnnkit model, blake2b of what follows: ")
    check_output(file, MODEL)
    with pytest.raises(CheckpointError, match="is an input, and what is written would replace it"):
        check_output(file, MODEL, (None, file), force=True)
    with pytest.raises(CheckpointError, match="is not captions in COCO's form"):
        check_output(file, RESULTS)
    with pytest.raises(CheckpointError, match="is a folder; name the file to write"):
        check_output(tmp_path, RESULTS, force=True)


def test_commands_ask_before_they_work_and_replace_their_own(
    tiny_data: Path, small_run: Path, tmp_path: Path
) -> None:
    spec, mine = tmp_path / "small.toml", tmp_path / "mine.txt"
    spec.write_text(TRAINED)
    mine.write_text("mine")
    model = small_run / "last.h5"
    kept = model.read_bytes()
    for args in (
        ("build", spec, "--data", tiny_data, "--out", mine),
        ("build", spec, "--data", tiny_data, "--out", spec),
        ("report", small_run, "--out", mine),
        ("caption", small_run, "--html", mine),
        ("eval", small_run, "--results", model),
        ("data", "show", tiny_data, "--out", mine),
        ("schema", "--out", mine),
        ("export", model, model.with_suffix(".h5")),
    ):
        said = run(*args)
        assert said
        assert len(said.splitlines()) == 1
    assert (mine.read_text(), spec.read_text(), model.read_bytes()) == ("mine", TRAINED, kept)
    out = tmp_path / "schema.json"
    for force in ((), (), ("--force",)):
        assert run("schema", "--out", out, *force) is None
    page = tmp_path / "page.html"
    for _ in range(2):
        assert run("caption", small_run, "--n", "1", "--html", page) is None


def test_a_history_that_no_run_has_written_is_not_replaced(tiny_data: Path, tmp_path: Path) -> None:
    spec = tmp_path / "small.toml"
    spec.write_text(TRAINED)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "history.csv").write_text("mine")
    with pytest.raises(
        CheckpointError, match=r"has a history\.csv, but no run that could have written"
    ):
        train(spec, data=tiny_data, out=folder)
    assert [f.name for f in folder.iterdir()] == ["history.csv"]
