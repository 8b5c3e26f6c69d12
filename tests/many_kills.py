"""Kill a run at random moments, go on with it each time, and compare it with one that was left alone.

python -m tests.many_kills 30
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from rnnkit.checkpoint import PREVIOUS, read_model_file
from rnnkit.data.scenes import write_scenes

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


def train(folder: Path, *args: str | Path) -> subprocess.Popen[str]:
    """A process that trains, or goes on."""
    return subprocess.Popen(
        [sys.executable, "-m", "rnnkit", "train", *map(str, args)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a process that must end well."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err


def survives(folder: Path, kills: int, seed: int) -> int:
    """Kill a run so many times, and assert that it comes to the same end; how many kills came too late.

    Every checkpoint that a kill leaves is read, and must be whole.
    """
    write_scenes(folder / "data", train=60, val=12, seed=1)
    (folder / "spec.toml").write_text(SPEC.replace("EPOCHS", str(8 * kills)))
    finish(train(folder, "spec.toml", "--data", "data", "--out", "whole"))
    moments, late, run = random.Random(seed), 0, folder / "run"
    for _ in range(kills):
        if (run / "last.h5").exists():
            process = train(folder, "--resume", "run")
        else:
            for left in run.glob("*"):
                left.unlink()
            process = train(folder, "spec.toml", "--data", "data", "--out", "run")
        assert process.stdout is not None
        process.stdout.readline()  # training begins
        time.sleep(moments.uniform(0.0, 0.5))
        late += process.poll() is not None
        process.kill()
        process.communicate()
        for name in ("last.h5", "best.h5", PREVIOUS):
            if (run / name).exists():
                read_model_file(run / name)
    finish(train(folder, "--resume", "run"))
    for name in ("last.h5", "best.h5"):
        a, b = (read_model_file(folder / which / name) for which in ("whole", "run"))
        assert a.parameters.keys() == b.parameters.keys()
        assert a.extra.keys() == b.extra.keys()
        for key, w in {**a.parameters, **a.extra}.items():
            assert np.array_equal(w, {**b.parameters, **b.extra}[key]), key
    assert not list(run.glob(".*.tmp"))
    return late


def main() -> None:
    """Kill as often as the first argument says."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    with tempfile.TemporaryDirectory() as folder:
        late = survives(Path(folder), kills, seed=int(time.time()))
    print(f"{kills} kills, {late} of them after the end; the run came to the same bits")


if __name__ == "__main__":
    main()
