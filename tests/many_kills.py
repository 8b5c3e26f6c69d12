"""Kill a run at random moments, go on with it each time, and compare it with one that was left alone.

python -m tests.many_kills 30        one process
python -m tests.many_kills 10 2      two ranks, of which one is killed
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from rnnkit.data.scenes import write_scenes
from rnnkit.network.checkpoint import PREVIOUS, read_model_file
from tests import ranks

PATIENCE: Final = 10.0
"""Seconds that a job has to end in when one of its ranks is killed."""

SPEC = """
[model]
words = [{ use = "embedding", dim = 32 }, { use = "dropout", rate = 0.3 }]
[[model.rnn]]
hidden = 48
cell = "lstm"
[train]
epochs = EPOCHS
batch = 8
evaluate = 7
optimizer = { use = "adam", learning_rate = 5e-3 }
schedule = "cosine"
"""


@attrs.frozen
class Survival:
    """What came of killing.

    Attributes:
        late: kills that came after the end.
        longest: seconds that a job took to end.
        said: what the killed jobs said on standard error.
    """

    late: int
    longest: float
    said: tuple[str, ...]


def train(folder: Path, size: int, *args: str | Path) -> subprocess.Popen[str]:
    """A process, or a job of so many ranks, that trains, or goes on."""
    if size > 1:
        return ranks.start(size, "command", folder, "train", *args)
    return subprocess.Popen(
        [sys.executable, "-m", "rnnkit", "train", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a process that must end well."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err


def kill(process: subprocess.Popen[str], folder: Path, rank: int | None) -> None:
    """Kill a process, or a rank of its job."""
    if rank is None:
        process.kill()
    elif process.poll() is None:
        os.kill(int((folder / f"rank{rank}.pid").read_text()), 9)


def survives(folder: Path, kills: int, seed: int, size: int = 1) -> Survival:
    """Kill a run so many times, and assert that it comes to the same end.

    Every checkpoint that a kill leaves is read, and must be whole; of a job of several ranks, another is killed each
    time, and the others must end soon.
    """
    data, spec, whole, run = (folder / name for name in ("data", "spec.toml", "whole", "run"))
    write_scenes(data, train=60, val=12, seed=1)
    spec.write_text(SPEC.replace("EPOCHS", str(8 * kills)))
    finish(train(folder, size, spec, "--data", data, "--out", whole))
    moments, late, longest, said = random.Random(seed), 0, 0.0, []

    def begin() -> subprocess.Popen[str]:
        if (run / "last.h5").exists():
            return train(folder, size, "--resume", run)
        for left in run.glob("*"):
            left.unlink()
        return train(folder, size, spec, "--data", data, "--out", run)

    for number in range(kills):
        process = begin()
        assert process.stdout is not None
        process.stdout.readline()  # training begins
        time.sleep(moments.uniform(0.0, 0.5))
        late += process.poll() is not None
        began = time.monotonic()
        kill(process, folder, None if size == 1 else number % size)
        said.append(process.communicate(timeout=60)[1])
        longest = max(longest, time.monotonic() - began)
        for name in ("last.h5", "best.h5", PREVIOUS):
            if (run / name).exists():
                read_model_file(run / name)
    assert longest < PATIENCE
    finish(begin())
    for name in ("last.h5", "best.h5"):
        a, b = (read_model_file(which / name) for which in (whole, run))
        assert a.parameters.keys() == b.parameters.keys()
        assert a.extra.keys() == b.extra.keys()
        for key, w in {**a.parameters, **a.extra}.items():
            assert np.array_equal(w, {**b.parameters, **b.extra}[key]), key
    assert not list(run.glob(".*.tmp"))
    return Survival(late, longest, tuple(said))


def main() -> None:
    """Kill as often as the first argument says, of as many ranks as the second does."""
    given = [int(word) for word in sys.argv[1:]]
    kills, size = given + [30, 1][len(given) :]
    with tempfile.TemporaryDirectory() as folder:
        found = survives(Path(folder), kills, int(time.time()), size)
    print(
        f"{kills} kills, {found.late} of them after the end, the longest wait for the end {found.longest:.1f} s; "
        "the run came to the same bits"
    )


if __name__ == "__main__":
    main()
