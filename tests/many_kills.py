"""Kill what rnnkit does at random moments, go on with it each time, and compare with what was left alone.

python -m tests.many_kills [COUNT] [KIND ..] [--ranks R] [--seed S]

The kinds: train (a run is killed and resumed), reward (the same of one that learns from a reward), damaged (each time its last checkpoint is damaged, too), resumes (two
processes resume it at once), prepare (rnnkit data prepare) and fetch (rnnkit data fetch, from a server in this
process). All of them if none is given, 30 kills each. With --ranks, the run of `train` has so many processes, of which
one is killed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from rnnkit.data.fetching.fetch import CATALOGUE
from rnnkit.data.scenes import write_scenes
from rnnkit.errors import CheckpointError
from rnnkit.network.checkpoint import LAST, PREVIOUS, read_model_file
from rnnkit.training.history import History, read_history
from tests import ranks
from tests.archives import archive_of, served
from tests.datafolders import write_data_folder

FILES: Final = CATALOGUE["coco2014"].files

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

REWARDED = (
    SPEC.replace("evaluate = 7", 'evaluate = 2\nmetric = "rouge_l"').replace("EPOCHS", "3")
    + "[train.reward]\nafter = 1\nbatch = 12\nsamples = 3\n"
)
"""Most of its updates learn from a reward, for they take longer."""


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


def started(*args: str | Path) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "rnnkit", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "no_proxy": "*"},
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a process that must end well."""
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, out + err


def kill(process: subprocess.Popen[str], folder: Path, rank: int | None) -> None:
    """Kill a process, or a rank of its job."""
    if rank is None:
        process.kill()
    elif process.poll() is None:
        os.kill(int((folder / f"rank{rank}.pid").read_text()), 9)


@attrs.frozen
class Run:
    """A run that is to be killed, and one that is not, in the same folder."""

    folder: Path
    size: int = 1
    spec: str = SPEC

    @property
    def killed(self) -> Path:
        """The folder of the run that is killed."""
        return self.folder / "run"

    def prepare(self, kills: int) -> None:
        """Write data and spec, and train the one that is left alone."""
        write_scenes(self.folder / "data", train=60, val=12, seed=1)
        (self.folder / "spec.toml").write_text(self.spec.replace("EPOCHS", str(3 * kills)))
        finish(self.train(*self.fresh(self.folder / "whole")))

    def fresh(self, out: Path) -> tuple[str | Path, ...]:
        """Arguments of `train` for a new run."""
        return self.folder / "spec.toml", "--data", self.folder / "data", "--out", out

    def train(self, *args: str | Path) -> subprocess.Popen[str]:
        """A process, or a job of so many ranks, that trains, or goes on."""
        if self.size > 1:
            return ranks.start(self.size, "command", self.folder, "train", *args)
        return started("train", *args)

    def begin(self) -> subprocess.Popen[str]:
        """Go on with the run; or begin, where it was killed before its first checkpoint."""
        if (self.killed / LAST).exists():
            return self.train("--resume", self.killed)
        return self.train(*self.fresh(self.killed))

    def check_whole(self, *names: str) -> None:
        """That every file of a killed run which is there can be read."""
        for name in names:
            if (self.killed / name).exists():
                read_model_file(self.killed / name)
        read_history(self.killed)

    def check_same(self) -> None:
        """That the run has come to the same end as the one that was left alone, to the bit."""
        for name in (LAST, "best.h5"):
            a, b = (read_model_file(self.folder / which / name) for which in ("whole", "run"))
            assert a.parameters.keys() == b.parameters.keys()
            assert a.extra.keys() == b.extra.keys()
            for key, w in {**a.parameters, **a.extra}.items():
                assert np.array_equal(w, {**b.parameters, **b.extra}[key]), key
        whole, run = (without_clock(read_history(self.folder / w)) for w in ("whole", "run"))
        assert whole == run
        assert not list(self.killed.glob(".*.tmp"))


def without_clock(history: History) -> History:
    """All rows, but for what a clock says."""
    return History(
        tuple(attrs.evolve(r, seconds=0.0, tokens_per_second=0.0) for r in history.records),
        tuple(attrs.evolve(u, seconds=0.0) for u in history.updates),
    )


def survives(folder: Path, kills: int, seed: int, size: int = 1, spec: str = SPEC) -> Survival:
    """Kill a run so many times, and assert that it comes to the same end.

    Every checkpoint that a kill leaves is read, and must be whole; of a job of several ranks, another is killed each
    time, and the others must end soon.
    """
    run = Run(folder, size, spec)
    run.prepare(kills)
    moments, late, longest, said = random.Random(seed), 0, 0.0, []
    for number in range(kills):
        process = run.begin()
        assert process.stdout is not None
        process.stdout.readline()  # training begins
        time.sleep(moments.uniform(0.0, 0.5))
        late += process.poll() is not None
        began = time.monotonic()
        kill(process, folder, None if size == 1 else number % size)
        said.append(process.communicate(timeout=60)[1])
        longest = max(longest, time.monotonic() - began)
        run.check_whole(LAST, "best.h5", PREVIOUS)
    assert longest < PATIENCE
    finish(run.begin())
    run.check_same()
    return Survival(late, longest, tuple(said))


def survives_damage(folder: Path, kills: int, seed: int) -> Survival:
    """The same, but the last checkpoint is damaged before each process goes on; the one before must stay whole."""
    run = Run(folder)
    run.prepare(kills)
    moments, late, said = random.Random(seed), 0, []
    for _ in range(kills):
        process = run.begin()
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.5))
        late += process.poll() is not None
        process.kill()
        out, err = process.communicate(timeout=60)
        said.append(out + err)
        run.check_whole("best.h5", PREVIOUS)
        if (run.killed / PREVIOUS).exists():
            damage(run.killed / LAST, moments)
    finish(run.begin())
    run.check_same()
    return Survival(late, 0.0, tuple(said))


def damage(file: Path, moments: random.Random) -> None:
    """Change one bit of a checkpoint, if it is whole."""
    try:
        read_model_file(file)
    except CheckpointError:
        return
    data = bytearray(file.read_bytes())
    data[moments.randrange(600, len(data))] ^= 1 << moments.randrange(8)
    file.write_bytes(data)


def survives_two(folder: Path, kills: int, seed: int) -> Survival:
    """Two processes resume a run at once: one goes on until it is killed, the other says who has it."""
    run = Run(folder)
    run.prepare(kills)
    moments, late, said = random.Random(seed), 0, []
    first = run.begin()
    assert first.stdout is not None
    while not (run.killed / LAST).exists():
        time.sleep(0.01)
    first.kill()
    first.communicate()
    for _ in range(kills):
        two = [run.begin(), run.begin()]
        ended = None
        until = time.monotonic() + 60
        while ended is None and time.monotonic() < until:  # until one has told
            ended = next((p for p in two if p.poll() is not None), None)
            time.sleep(0.01)
        assert ended is not None, "two processes train the same run"
        other = two[two[0] is ended]
        out, err = ended.communicate()
        late += ended.returncode == 0
        if ended.returncode:
            assert ended.returncode == 2, out + err
            assert "run is in use: " in err
            assert f"process {other.pid}" in err
        time.sleep(moments.uniform(0.0, 0.5))
        other.kill()
        said.append(err + other.communicate(timeout=60)[1])
        run.check_whole(LAST, "best.h5", PREVIOUS)
    finish(run.begin())
    run.check_same()
    return Survival(late, 0.0, tuple(said))


def survives_again(
    begin: Callable[[], subprocess.Popen[str]],
    out: Path,
    files: Mapping[str, str],
    kills: int,
    moments: random.Random,
    most: float,
) -> Survival:
    """Kill a command that makes a folder, begin it again each time, and let the last one end.

    A folder that is there before the end is whole, or has none of the files but those that the next one goes on with.

    Args:
        begin: starts it.
        out: the folder; it is removed where a kill came too late, for the next one to begin with nothing.
        files: that it must have in the end, with their digests.
        kills: how many.
        moments: to draw them from.
        most: seconds that it takes to its end.
    """
    late, said = 0, []
    for _ in range(kills):
        process = begin()
        time.sleep(moments.uniform(0.2, 1.0) * most)
        process.kill()
        said.append(process.communicate(timeout=60)[1])
        there = digests(out)
        assert all(files[name] == digest for name, digest in there.items() if name in files)
        if files.items() <= there.items():
            late += 1
            shutil.rmtree(out)
    finish(begin())
    assert files.items() <= digests(out).items()
    hidden = [*out.rglob(".*"), *out.parent.glob(f".{out.name}*")]
    assert not hidden, hidden
    return Survival(late, 0.0, tuple(said))


def digests(folder: Path) -> dict[str, str]:
    """Every file of a folder, with its digest."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.glob("[!.]*")
        if path.is_file()
    }


def timed(begin: Callable[[], subprocess.Popen[str]]) -> float:
    """Seconds that a command takes that is left alone."""
    began = time.monotonic()
    finish(begin())
    return time.monotonic() - began


def survives_prepare(folder: Path, kills: int, seed: int) -> Survival:
    """Kill `rnnkit data prepare`: its folder is there whole, or not at all."""
    images, rng = 2000, np.random.default_rng(1)
    captions, features, out = (folder / n for n in ("captions.csv", "features.npy", "data"))
    rows = [f"{i}.png,a {('red', 'blue')[i % 2]} circle of {i % 7}" for i in range(images)]
    captions.write_text("\n".join(["image,caption", *rows]) + "\n")
    np.save(features, rng.standard_normal((images, 512), np.float32))

    def begin(out: Path = out) -> subprocess.Popen[str]:
        return started(
            "data", "prepare", "--captions", captions, "--features", features, "--out", out
        )

    whole = folder / "whole"
    most = timed(partial(begin, whole))
    return survives_again(begin, out, digests(whole), kills, random.Random(seed), most)


def survives_fetch(folder: Path, kills: int, seed: int) -> Survival:
    """Kill `rnnkit data fetch`: what has come is gone on with."""
    out = folder / "fetched"
    source = write_data_folder(folder / "source", assignment=True, raw=True, images=200, width=256)
    wanted = {name: digest for name, digest in digests(source).items() if name in FILES}
    with served(archive_of(source, FILES)) as url:

        def begin() -> subprocess.Popen[str]:
            return started("data", "fetch", "coco2014", out, "--url", url)

        most = timed(begin)
        shutil.rmtree(out)
        return survives_again(begin, out, wanted, kills, random.Random(seed), most)


KINDS: Final[Mapping[str, Callable[[Path, int, int], Survival]]] = {
    "train": survives,
    "reward": partial(survives, spec=REWARDED),
    "damaged": survives_damage,
    "resumes": survives_two,
    "prepare": survives_prepare,
    "fetch": survives_fetch,
}


def main() -> None:
    """Kill as the arguments say, and tell what came of it."""
    reader = argparse.ArgumentParser(prog="python -m tests.many_kills", description=__doc__)
    reader.add_argument("count", nargs="?", type=int, default=30)
    reader.add_argument("kinds", nargs="*", default=[*KINDS], metavar="KIND")
    reader.add_argument("--ranks", type=int, default=1)
    reader.add_argument("--seed", type=int, default=int(time.time()))
    given = reader.parse_args()
    print(f"seed {given.seed}", flush=True)
    for kind in given.kinds:
        with tempfile.TemporaryDirectory() as folder:
            if given.ranks > 1:
                found = survives(Path(folder), given.count, given.seed, given.ranks)
            else:
                found = KINDS[kind](Path(folder), given.count, given.seed)
        print(
            f"{kind}: {given.count} kills, {found.late} of them after the end; all came to the same bits",
            flush=True,
        )


if __name__ == "__main__":
    main()
