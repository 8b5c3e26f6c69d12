"""The list of runs, and what is told where a run is expected and something else is given."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from typer.testing import CliRunner

import rnnkit
from rnnkit.cli import app
from rnnkit.errors import CheckpointError, RnnkitError
from rnnkit.training.folders import Found, as_run, find_runs
from tests.specs import TRAINED


@pytest.fixture(scope="module")
def made(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs; the two of a comparison lie deeper. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    spec = folder / "small.toml"
    learning = TRAINED.replace(
        "5e-3", "2e-2"
    )  # enough to beat guessing, or no evaluation is a best one
    spec.write_text(learning)
    rnnkit.train(spec, tiny_data, folder / "lstm")
    cells = ["model.rnn[0].cell=gru", "train.epochs=1", "train.metric=bleu4"]
    rnnkit.train(spec, tiny_data, folder / "compared" / "gru", cells)
    both = learning.replace("[train]", '[[model.rnn]]\nhidden = 4\ncell = "vanilla"\n[train]')
    rnnkit.train(rnnkit.parse_spec(both), tiny_data, folder / "compared" / "two")
    return folder


def found_in(folder: Path) -> dict[str, Found]:
    return {str(run.folder.relative_to(folder)): run for run in find_runs(folder)}


def test_runs_are_found_with_what_came_of_them(made: Path) -> None:
    found = found_in(made)
    assert found.keys() == {"lstm", "compared/gru", "compared/two"}
    run = found["lstm"]
    history = rnnkit.training.read_history(run.folder)
    assert (run.spec, run.cells) == (str(made / "small.toml"), ("lstm",))
    assert (run.updates, run.of, run.finished) == (24, 24, True)
    assert run.metric == "nats"
    assert run.best == min(r.val_nats or 0.0 for r in history.records)
    assert run.when is not None
    assert run.when.timestamp() == pytest.approx((run.folder / "last.h5").stat().st_mtime)
    assert found["compared/gru"].metric == "bleu4"
    assert found["compared/two"].cells == ("lstm", "vanilla")
    assert found["compared/two"].spec == "a spec in memory"


def test_a_run_itself_is_a_list_of_one(made: Path) -> None:
    (run,) = find_runs(made / "lstm")
    assert run.folder == made / "lstm"


def stopped_after(step: int, folder: Path, data: Path, *overrides: str) -> None:
    trainer: list[rnnkit.training.Trainer] = []
    rnnkit.train(
        rnnkit.parse_spec(TRAINED, overrides=overrides),
        data,
        folder,
        on_start=lambda started, _: trainer.append(started),
        on_step=lambda done: setattr(trainer[0], "stop", done.number == step),
    )


@pytest.mark.parametrize("step", [3, 8, 24])
def test_a_run_that_was_broken_off_is_not_finished_until_it_is_resumed(
    step: int, tiny_data: Path, tmp_path: Path
) -> None:
    stopped_after(step, tmp_path / "run", tiny_data)
    (run,) = find_runs(tmp_path)
    assert (run.updates, run.of, run.finished) == (step, 24, False)
    rnnkit.train(resume=tmp_path / "run")
    (run,) = find_runs(tmp_path)
    assert (run.updates, run.finished, run.spec) == (24, True, "a spec in memory")
    rnnkit.train(resume=tmp_path / "run", overrides=["train.epochs=4"])
    (run,) = find_runs(tmp_path)
    assert (run.updates, run.of, run.finished) == (32, 32, True)


def test_a_run_that_lost_its_patience_is_finished(tiny_data: Path, tmp_path: Path) -> None:
    source = TRAINED.replace("epochs = 3", "epochs = 50\npatience = 1").replace("5e-3", "2.0")
    rnnkit.train(rnnkit.parse_spec(source), tiny_data, tmp_path / "run")
    (run,) = find_runs(tmp_path)
    assert run.updates < run.of
    assert run.finished


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: os.truncate(f, 9000), "last.h5 is cut short: it has 9,000 of its"),
        (lambda f: f.write_text("nothing"), "last.h5 is not a model of rnnkit: it begins with"),
        (lambda f: f.unlink(), "has no checkpoint so far"),
    ],
    ids=["cut off", "other", "none"],
)
def test_a_damaged_run_is_listed_with_the_reason(
    spoil: Callable[[Path], object], told: str, made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made / "lstm", tmp_path / "lstm")
    shutil.copytree(made / "lstm", tmp_path / "spoilt")
    spoil(tmp_path / "spoilt" / "last.h5")
    whole, spoilt = find_runs(tmp_path)
    assert whole.problem is None
    assert spoilt.spec == whole.spec
    assert told in str(spoilt.problem)
    ran = CliRunner().invoke(app, ["runs", str(tmp_path)])
    assert ran.exit_code == 0
    assert f"\n\n{spoilt.problem}" in ran.output


@pytest.mark.parametrize(
    ("order", "first"),
    [("folder", "gru"), ("cell", "gru"), ("updates", "two"), ("best", "gru"), ("when", "two")],
)
def test_the_command_sorts_them(order: str, first: str, made: Path) -> None:
    ran = CliRunner().invoke(app, ["runs", str(made), "--sort", order, "--json"])
    rows = json.loads(ran.output)
    assert Path(rows[0]["folder"]).name == first
    assert {Path(row["folder"]).name for row in rows} == {"lstm", "gru", "two"}
    if order == "best":  # of those with the same metric, fewer nats are better
        nats = [row["best"] for row in rows if row["metric"] == "nats"]
        assert nats == sorted(nats)


def test_the_table_has_a_row_for_each(made: Path) -> None:
    ran = CliRunner().invoke(app, ["runs", str(made / "compared")])
    head, *rows = ran.output.splitlines()
    assert head.split() == ["run", "spec", "cell", "updates", "metric", "best", "when", "state"]
    two = next(row for row in rows if str(made / "compared" / "two") in row)
    value = attrs.asdict(found_in(made)["compared/two"])["best"]
    assert re.search(rf"lstm \+ vanilla +24 of 24 +nats +{value:.4f} .* finished", two)


def test_without_runs_the_command_says_how_to_make_one(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["runs", str(tmp_path)])
    assert ran.output.startswith(f"there are no runs in {tmp_path}; rnnkit train SPEC makes one")
    with pytest.raises(CheckpointError, match="is not a folder"):
        list(find_runs(tmp_path / "nowhere"))


def test_what_is_no_run_is_told_with_what_to_give(made: Path, tmp_path: Path) -> None:
    spec = made / "small.toml"
    for use in (lambda: rnnkit.train(resume=spec), lambda: rnnkit.load(spec)):
        with pytest.raises(RnnkitError, match=f"it is a spec: rnnkit train {spec} makes a run"):
            use()
    with pytest.raises(CheckpointError, match=f"give the folder it is in: {made / 'lstm'}$"):
        as_run(made / "lstm" / "last.h5")
    with pytest.raises(CheckpointError, match=r"none is not the folder of a run$"):
        as_run(tmp_path / "none")
