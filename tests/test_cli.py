"""The command line: what it prints, its exit codes, and that no mistake of a user gives a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.specs import BRIEF

Ran = subprocess.CompletedProcess[str]


def rnnkit(*arguments: str | Path) -> Ran:
    command = [sys.executable, "-m", "rnnkit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("spec") / "small.toml"
    file.write_text(BRIEF)
    return file


@pytest.fixture(scope="module")
def run(spec: Path, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "small"
    ran = rnnkit("train", spec, "--data", tiny_data, "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert "val nats" in ran.stdout
    assert ran.stdout.rstrip().endswith(f"wrote {out / 'last.h5'}")
    return out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, rnnkit.cli\n"
        "try: rnnkit.cli.app(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'h5py', 'attrs', 'rich') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Caption photos" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "[]"


def test_build_shows_each_part_with_where_it_comes_from(spec: Path, tiny_data: Path) -> None:
    ran = rnnkit("build", spec, "--data", tiny_data)
    assert ran.returncode == 0, ran.stderr
    row = next(line.split() for line in ran.stdout.splitlines() if line.startswith("rnn.0"))
    assert row[1] == "lstm"
    assert row[2] == "rnnkit"
    assert row[4:6] == ["16->24", f"{4 * 24 * (16 + 24 + 1):,}"]
    assert 'cell = { use = "lstm", forget_bias = 0.0 }' in ran.stdout


def test_build_writes_a_model_that_captions(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.h5"
    built = rnnkit("build", spec, "--data", tiny_data, "-o", model, "--json")
    found = json.loads(built.stdout)
    assert found["total"]["parameters"] == sum(np.prod(s) for s in found["shapes"].values())
    shown = rnnkit("caption", model, "--data", tiny_data, "--n", "3", "--json")
    assert len(json.loads(shown.stdout)) == 3


def test_build_needs_no_data_where_the_spec_gives_sizes(spec: Path) -> None:
    sizes = ["data.features=9", "data.vocabulary=30", "data.length=10"]
    ran = rnnkit("build", spec, *(a for size in sizes for a in ("--set", size)), "--json")
    assert json.loads(ran.stdout)["shapes"]["head.0.W"] == [24, 30]


def test_captions_stand_beside_the_truth(run: Path, tiny_data: Path) -> None:
    ran = rnnkit("caption", run, "--data", tiny_data, "--split", "train", "--n", "2")
    truth = json.loads((tiny_data / "captions_train.json").read_text())["annotations"]
    assert ran.returncode == 0, ran.stderr
    for annotation in truth:
        if annotation["image_id"] < 2:
            assert f"    {annotation['caption']}" in ran.stdout


def test_a_decoder_can_be_chosen_with_its_options(run: Path, tiny_data: Path) -> None:
    def captions(*decoder: str) -> list[dict[str, object]]:
        ran = rnnkit("caption", run, "--data", tiny_data, "--json", *decoder)
        assert ran.returncode == 0, ran.stderr
        found: list[dict[str, object]] = json.loads(ran.stdout)
        return found

    assert captions() == captions("--decoder", '{ use = "beam", width = 1 }')
    wrong = rnnkit("caption", run, "--data", tiny_data, "--decoder", "baem")
    assert wrong.returncode == 2
    assert "no decoder is called 'baem'; did you mean 'beam'?" in wrong.stderr


def test_six_mistakes_print_six_lines(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(
        BRIEF.replace('"lstm"', '"lsmt"')
        .replace("dim = 16", "dim = 0")
        .replace("hidden = 24", "hiden = 24")
        .replace("epochs = 2", "epochs = 2.5")
        .replace("batch = 16", 'batch = "16"')
        .replace("format", "fromat")
    )
    ran = rnnkit("build", file)
    assert ran.returncode == 2
    assert ran.stdout == ""
    places = [line.split(": ")[0] for line in ran.stderr.splitlines()]
    assert places == [f"{file}:{n}" for n in (1, 3, 4, 5, 6, 8, 9)]


def test_overrides_are_reported_like_the_file(spec: Path) -> None:
    ran = rnnkit("train", spec, "--set", "train.epochs=three", "--set", "train.bacth=3")
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "--set train.epochs=three: train.epochs: expected a whole number, got string 'three'",
        "--set train.bacth=3: train.bacth: unknown key 'bacth'; did you mean 'batch'?",
    ]


def rewrite(file: Path, change: Callable[[h5py.File], None]) -> None:
    with h5py.File(file, "r+") as h5:
        change(h5)


def put(h5: h5py.File, name: str, place: tuple[int, ...], value: float) -> None:
    h5[name][place] = value


def retype(h5: h5py.File, name: str, dtype: type) -> None:
    values = h5[name][()].astype(dtype)
    del h5[name]
    h5[name] = values


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing file": (lambda d: (d / "vocab.json").unlink(), "vocab.json is missing"),
    "wrong type": (
        lambda d: rewrite(d / "captions.h5", lambda h: retype(h, "train_captions", float)),
        "train_captions",
    ),
    "token out of range": (
        lambda d: rewrite(d / "captions.h5", lambda h: put(h, "train_captions", (3, 2), 999)),
        "999",
    ),
    "nan": (
        lambda d: rewrite(d / "features_train.h5", lambda h: put(h, "features", (5, 1), np.nan)),
        "features_train.h5: features[5, 1] is nan",
    ),
    "truncated": (
        lambda d: (d / "features_val.h5").write_bytes((d / "features_val.h5").read_bytes()[:-500]),
        "features_val.h5",
    ),
}


@pytest.fixture
def copied_data(tiny_data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in tiny_data.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.mark.parametrize("how", SPOILED)
def test_damaged_data_is_one_sentence_and_nothing_is_written(
    how: str, spec: Path, copied_data: Path, tmp_path: Path
) -> None:
    spoil, text = SPOILED[how]
    spoil(copied_data)
    ran = rnnkit("train", spec, "--data", copied_data, "--out", tmp_path / "run")
    assert ran.returncode == 2
    assert text in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_width_that_does_not_fit_the_spec_is_told_at_its_line(
    tiny_data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "s.toml"
    file.write_text(BRIEF + "[data]\nfeatures = 3\n")
    ran = rnnkit("build", file, "--data", tiny_data, "-o", tmp_path / "m.h5")
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"{file}:11: data.features: the spec says 3, but {tiny_data} has ")
    assert not (tmp_path / "m.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["build", "none.toml"], "none.toml: cannot read the spec"),
        (["caption", "none.h5", "--data", "x"], "none.h5: no such model file"),
        (["data", "info", "nowhere"], "nowhere does not exist; give the path of a data folder"),
        (["data", "info", "my/scenes"], "draw its pictures with: rnnkit data demo my/scenes"),
        (["train", "a.toml", "--epochs", "3"], "write --set train.epochs=3"),
        (["build", "a.toml", "--lr=0.1"], "write --set train.optimizer.learning_rate=0.1"),
        (["build", "a.toml", "--length"], "data.length=VALUE or --set caption.length=VALUE"),
        (["train", "a.toml", "--hidden-size", "9"], "write --set 'model.rnn[0].hidden=9'"),
        (["compare", "a.toml", "--num-layers", "2"], "write [[model.rnn]] once for each layer"),
        (["build"], "Missing argument"),
        (["train"], "give either a SPEC, or --resume RUN"),
        (["train", "a.toml", "--resume", "runs/a"], "give either a SPEC, or --resume RUN"),
        (["train", "--resume", "a", "--out", "b"], "leave out --out"),
        (["train", "--resume", "nowhere"], "nowhere is not the folder of a run"),
        (["fly"], "No such command"),
    ],
)
def test_mistakes_exit_2_without_a_traceback(arguments: list[str], text: str) -> None:
    ran = rnnkit(*arguments)
    assert ran.returncode == 2
    assert text in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_finished_run_says_how_to_train_on(run: Path) -> None:
    before = (run / "last.h5").read_bytes()
    ran = rnnkit("train", "--resume", run)
    assert ran.returncode == 0, ran.stderr
    done, told = ran.stdout.splitlines()
    assert done.endswith("of them done already: there is nothing to do")
    assert told.startswith("the run is finished; to train on, raise a limit: ")
    assert told.endswith(f"rnnkit train --resume {run} --set train.epochs=4")
    assert (run / "last.h5").read_bytes() == before


@pytest.fixture
def long_run(spec: Path, tiny_data: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-u", "-m", "rnnkit", "train", spec, "--data", tiny_data]
    process = subprocess.Popen(
        [*map(str, command), "--out", str(tmp_path / "run"), "--set", "train.epochs=1000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


RUN_FILES = ["best.h5", "history.csv", "last.h5", "previous.h5", "spec.toml", "updates.csv"]


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_asks_training_to_end_finds_the_model_saved(
    asked: signal.Signals, long_run: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert long_run.stdout is not None
    while not long_run.stdout.readline().startswith("    1 "):
        assert long_run.poll() is None
    os.kill(long_run.pid, asked)
    out, err = long_run.communicate(timeout=60)
    assert long_run.returncode == 128 + asked, err
    assert f"interrupted; go on with: rnnkit train --resume {tmp_path / 'run'}" in out
    assert sorted(f.name for f in (tmp_path / "run").iterdir()) == RUN_FILES


def test_data_info_counts_what_is_there(tiny_data: Path) -> None:
    found = json.loads(rnnkit("data", "info", tiny_data, "--json").stdout)
    assert [(s["split"], s["images"]) for s in found["splits"]] == [("train", 24), ("val", 8)]
    shown = rnnkit("data", "info", tiny_data)
    assert "in memory" in shown.stdout


def test_plugins_are_listed_with_their_packages() -> None:
    rows = [line.split() for line in rnnkit("plugins").stdout.splitlines()]
    assert ["cell", "lstm", "rnnkit"] in [row[:3] for row in rows]
