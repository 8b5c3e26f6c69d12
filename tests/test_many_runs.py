"""Runs, plugins and images shared among real ranks: what is told is what one process tells."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.images import caption_split
from rnnkit.metrics import installed
from rnnkit.parallel import ALONE
from rnnkit.training import read_history
from tests import rank_jobs
from tests.ranks import finish, needs_mpi, start

ROOT = Path(__file__).parents[1]

SPEC = """
[model]
dtype = "float64"
words = { use = "embedding", dim = 12 }
[[model.rnn]]
hidden = 16
cell = "gru"
[train]
epochs = 3
batch = 16
optimizer = { use = "adam", learning_rate = 1e-2 }
"""

Words = list[str | Path]
Ran = subprocess.CompletedProcess[str]


def alone(*arguments: str | Path) -> Ran:
    command = [sys.executable, "-m", "rnnkit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def together(ranks: int, folder: Path, *arguments: str | Path) -> Ran:
    process = start(ranks, "command", folder, *arguments)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def curves(file: Path) -> list[tuple[str, int, float, float]]:
    with file.open() as lines:
        return [
            (row["spec"], int(row["update"]), float(row["loss"]), float(row["mean"]))
            for row in csv.DictReader(lines)
        ]


@needs_mpi
@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.heavy)])
def test_the_runs_of_several_ranks_are_those_of_one(
    ranks: int, spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    """With one that diverges, and one whose spec is wrong."""
    grid = [
        *("--set", 'model.rnn[0].cell=["gru", "lstm", "lsmt"]'),
        *("--set", "train.optimizer.learning_rate=[1e-2, 1e300]"),
    ]
    command: Words = ["compare", spec, "--data", tiny_data, *grid, "--json", "--out"]
    ours = together(ranks, tmp_path, *command, tmp_path / "ours")
    theirs = alone(*command, tmp_path / "theirs")
    assert ours.returncode == theirs.returncode == 1
    found, wanted = json.loads(ours.stdout), json.loads(theirs.stdout)
    assert [row["spec"] for row in found] == [
        f"{spec} cell={cell}, learning_rate={rate}"
        for cell in ("gru", "lstm", "lsmt")
        for rate in ("0.01", "1e+300")
    ]
    assert ["failed" in row for row in found] == [False, True, False, True, True, True]
    for row, expected in zip(found, wanted, strict=True):
        for key in ("loss", "val_nats"):
            assert row.pop(key, 0.0) == pytest.approx(expected.pop(key, 0.0), rel=1e-12)
        assert Path(row.pop("folder", ".")).name == Path(expected.pop("folder", ".")).name
        if "failed" in row:  # it may name the folder
            row["failed"] = row["failed"].replace(f"{tmp_path}/ours", f"{tmp_path}/theirs")
        assert {**row, "seconds": 0} == {**expected, "seconds": 0}
    points = curves(tmp_path / "ours" / "curves.csv")
    for point, other in zip(points, curves(tmp_path / "theirs" / "curves.csv"), strict=True):
        assert point[:2] == other[:2]
        assert point[2:] == pytest.approx(other[2:], rel=1e-12)
    for row in json.loads(ours.stdout):
        told = "failed: " if "failed" in row else f"loss {row['loss']:.3f} after "
        assert ours.stderr.count(f"{row['spec']}: {told}") == 1


@needs_mpi
def test_an_interrupt_shows_what_was_done_and_ends_all_ranks(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    epochs = "train.epochs=[100000, 1, 100001, 2]"
    command: Words = [
        "compare",
        spec,
        "--data",
        tiny_data,
        "--out",
        tmp_path / "out",
        "--set",
        epochs,
    ]
    process = start(3, "command", tmp_path, *command)
    assert process.stderr is not None
    done: list[str] = []
    while len(done) < 2:
        line = process.stderr.readline()
        assert line, process.communicate()
        done += [line] if ": loss " in line else []
    process.send_signal(signal.SIGINT)
    told, err = process.communicate(timeout=60)
    assert process.returncode == 130
    table = [line for line in told.splitlines() if line.startswith(str(spec))]
    assert [line.split()[1] for line in table] == ["epochs=1", "epochs=2"]
    assert err.count("interrupted; only the runs shown had ended") == 1
    assert "Traceback" not in err
    assert (tmp_path / "out" / "curves.csv").exists()
    assert len(json.loads((tmp_path / "out" / "results.json").read_text())) == 2
    ids = [int((tmp_path / f"rank{rank}.pid").read_text()) for rank in range(3)]
    end = time.monotonic() + 30
    while any(map(runs, ids)):
        assert time.monotonic() < end
        time.sleep(0.01)


def runs(process: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


@needs_mpi
def test_what_is_wrong_for_all_runs_is_told_once(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    command: Words = ["compare", spec, "--data", tiny_data, "--metrics", "belu"]
    ran = together(3, tmp_path, *command, "--out", tmp_path / "out")
    assert ran.returncode == 2
    assert ran.stderr.count("no metric is called 'belu'; did you mean 'bleu'?") == 1
    assert "rank" not in ran.stderr.partition("belu")[0]
    assert ran.stdout == ""


CHECKED = ("vanilla", "affine", "adam", "zeros", "greedy", "cosine")


@needs_mpi
def test_plugins_are_checked_as_by_one_process(tmp_path: Path) -> None:
    """A wrong one among right ones, and a whole spec: the same text, in the same order, but for times."""
    wrong = ROOT / "tests" / "wrongcells" / "wrong_cells" / "missing_factor.py"
    command: Words = ["gradcheck", *CHECKED, wrong, "--spec", ROOT / "specs" / "stacked.toml"]
    ours, theirs = together(3, tmp_path, *command), alone(*command)
    assert ours.returncode == theirs.returncode == 1
    for ran in (ours, theirs):  # on a busy machine, a line now and then says that it goes on
        assert re.fullmatch(r"(checking: \d+ s\n)*", ran.stderr)
    assert without_times(ours.stdout) == without_times(theirs.stdout)
    assert ours.stdout.count("FAILS") == 1
    assert "a factor (1 - tanh_c^2) is missing" in ours.stdout


def without_times(text: str) -> list[str]:
    return [" ".join(re.sub(r"\d+\.\d\d s", "s", line).split()) for line in text.splitlines()]


@needs_mpi
def test_reports_are_the_same_as_json(tmp_path: Path) -> None:
    command: Words = ["gradcheck", "tanh", "sgd", "lsmt"]
    ran = together(2, tmp_path, *command, "--json")
    assert ran.returncode == 2
    assert ran.stderr.count("no plugin is called 'lsmt'; did you mean 'lstm'?") == 1
    ours = together(2, tmp_path, *command[:-1], "--json", "--seed", "3")
    theirs = alone(*command[:-1], "--json", "--seed", "3")
    assert ours.returncode == theirs.returncode == 0
    assert timeless(ours.stdout) == timeless(theirs.stdout)


def timeless(text: str) -> list[dict[str, object]]:
    return [{**row, "seconds": 0.0} for row in json.loads(text)]


@pytest.fixture(scope="module")
def captioned(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process says, in batches as small as the ranks have."""
    folder = tmp_path_factory.mktemp("captioned")
    with pytest.MonkeyPatch.context() as patch:
        rank_jobs.make_batches_small(patch.setattr)
        rank_jobs.captions(ALONE, tiny_data, folder)
    return folder


@needs_mpi
@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.heavy)])
def test_captions_and_scores_do_not_depend_on_who_computes_them(
    ranks: int, captioned: Path, tiny_data: Path, tmp_path: Path
) -> None:
    finish(start(ranks, "captions", tiny_data, tmp_path))
    files = sorted(captioned.glob("*.json"))
    assert len(files) == 6
    for file in files:
        ours = json.loads((tmp_path / file.name).read_text())
        assert ours == json.loads(file.read_text())
        assert [one["image"] for one in ours["captions"]] == list(range(24))
    if installed():
        scores = [record.val_metric for record in read_history(captioned / "run").records]
        assert len({*scores}) > 1
        assert [r.val_metric for r in read_history(tmp_path / "run").records] == scores


def test_each_batch_draws_for_itself(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnkit.captioning.images.BATCH", 6)
    with rnnkit.open_data(tiny_data) as data:
        model = rnnkit.build(rnnkit.parse_spec(rank_jobs.SPEC), data)
        decoder = rank_jobs.DECODERS["sample"]
        said = [one.caption for one in caption_split(model, data, "train", decoder=decoder)]
        features = data.split("train").features.rows(np.arange(24), model.dtype)
        assert said[:6] == model.caption(features[:6], decoder)
        seed = model.spec.model.seed
        for number in (1, 3):
            rows = slice(6 * number, 6 * number + 6)
            rng = np.random.default_rng([seed, 0, number])
            assert said[rows] == model.caption(features[rows], decoder, rng)
        assert said[6:12] != model.caption(features[6:12], decoder)


@needs_mpi
def test_the_command_judges_alike(tiny_data: Path, spec: Path, tmp_path: Path) -> None:
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", ["train.epochs=1"]).folder
    command: Words = ["eval", run, "--metrics", "", "--decoder", "beam", "--results"]
    ours = together(2, tmp_path, *command, tmp_path / "ours.json")
    theirs = alone(*command, tmp_path / "theirs.json")
    assert ours.returncode == theirs.returncode == 0
    assert ours.stdout.replace("ours", "theirs") == theirs.stdout
    assert (tmp_path / "ours.json").read_text() == (tmp_path / "theirs.json").read_text()
    wrong = together(2, tmp_path, *command[:-1], "--split", "test")
    assert wrong.returncode == 2
    assert wrong.stderr.count("has no split 'test'") == 1
    assert wrong.stdout == ""
