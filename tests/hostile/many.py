"""Many inputs on a few processes."""

from __future__ import annotations

import itertools
import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rnnkit.data.scenes import write_scenes
from rnnkit.training import train
from tests.hostile.case import Base
from tests.hostile.worker import KINDS, Outcome, once, warm

SPEC: Final = """[data]
path = "{data}"
[model]
words = {{ use = "embedding", dim = 6 }}
[[model.rnn]]
hidden = 5
cell = "lstm"
[train]
epochs = 2
batch = 20
optimizer = {{ use = "adam", learning_rate = 1e-2 }}
[caption]
decoder = {{ use = "beam", width = 2 }}
"""


def outcomes(
    count: int, seed: int, kinds: Sequence[str] = tuple(KINDS), workers: int = 2
) -> Iterator[Outcome]:
    """Run so many inputs of these kinds, in turn; the same ones for the same seed."""
    with tempfile.TemporaryDirectory(prefix="rnnkit-hostile-") as name:
        base = _base(Path(name) / "base")
        jobs = list(itertools.islice(zip(itertools.cycle(kinds), itertools.count()), count))
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        each = [
            context.Process(
                target=_work,
                args=(jobs[w::workers], seed, base, Path(name) / f"room{w}", queue),
                daemon=True,
            )
            for w in range(workers)
        ]
        for process in each:
            process.start()
        for _ in jobs:
            found = queue.get()
            if isinstance(found, BaseException):
                raise found
            yield found
        for process in each:
            process.join()


def _base(folder: Path) -> Base:
    folder.mkdir(parents=True)
    write_scenes(folder / "data", train=20, val=8, seed=1)
    spec = folder / "spec.toml"
    spec.write_text(SPEC.format(data=folder / "data"))
    train(spec, out=folder / "runs" / "run")
    return Base(folder / "data", folder / "runs" / "run", spec)


def _work(jobs: list[tuple[str, int]], seed: int, base: Base, room: Path, queue: Any) -> None:
    try:
        warm()
        for kind, number in jobs:
            queue.put(once(kind, number, seed, base, room))
    except BaseException as e:
        e.add_note(f"input {kind} {number}")
        queue.put(e)
