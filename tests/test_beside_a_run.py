"""What is read of a run while it trains is whole, and of one moment."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnkit.describing.report.writing import write_report
from rnnkit.network.checkpoint import read_model_file
from rnnkit.training import read_history
from rnnkit.training.folders import find_runs
from tests.specs import TRAINED
from tests.test_tensorboard import masked

SPEC = TRAINED.replace("epochs = 3", "epochs = 500\nevaluate = 1")


@pytest.fixture
def running(spec: Path, tiny_data: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of a run that a process trains, and evaluates after each update."""
    run = tmp_path / "runs" / "busy"
    command = [
        sys.executable,
        "-m",
        "rnnkit",
        "train",
        *map(str, (spec, "--data", tiny_data, "--out", run)),
    ]
    with subprocess.Popen([*command, "--tensorboard"], stdout=subprocess.DEVNULL) as process:
        while not (run / "updates.csv").exists():
            assert process.poll() is None
            time.sleep(0.02)
        yield run
        assert process.poll() is None, "it has ended before it was read"
        process.kill()


def whole_events(file: Path) -> int:
    """How many events a file has that is being written: all but the last are whole."""
    data, at, count = file.read_bytes(), 0, 0
    while len(data) - at >= 12:
        (length,) = struct.unpack_from("<Q", data, at)
        if at + 16 + length > len(data):
            break
        body = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length) == (masked(body),)
        at, count = at + 16 + length, count + 1
    return count


def test_a_run_is_read_while_it_trains(running: Path, tiny_data: Path) -> None:
    (events,) = (running / "tensorboard").iterdir()
    before, seen = 0, 0
    for turn in range(40):
        (found,) = find_runs(running.parent)
        assert found.problem is None
        assert found.updates >= before
        before = found.updates
        history = read_history(running)
        assert [r.step for r in history.records] == list(range(1, len(history.records) + 1))
        assert read_model_file(running / "last.h5").note
        if turn % 10 == 0:
            page = write_report(running, tiny_data, running.parent / "page.html", images=1)
            assert page.read_text().rstrip().endswith("</html>")
            count = whole_events(events)
            assert count >= seen
            seen = count
    assert before > 1


def test_a_comparison_is_read_while_it_goes_on(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    command = [
        sys.executable,
        "-m",
        "rnnkit",
        "compare",
        *map(str, (spec, "--data", tiny_data, "--out", out)),
    ]
    sets = ["--set", "train.epochs=[1, 1]"]
    rows = 0
    with subprocess.Popen([*command, *sets], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            time.sleep(0.02)
            if (out / "results.json").exists():
                found = json.loads((out / "results.json").read_text())
                assert len(found) >= rows
                rows = len(found)
                assert rows >= 1
            if out.exists():
                assert all(
                    run.problem is None or "no checkpoint so far" in run.problem
                    for run in find_runs(out)
                )
    assert process.returncode == 0
    assert len(json.loads((out / "results.json").read_text())) == 2
