"""Many inputs on a few processes."""

from __future__ import annotations

import itertools
import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final

from rnnkit.captioning.exporting.safetensors_file import write_torch
from rnnkit.data.scenes import write_scenes
from rnnkit.network.checkpoint import load_model
from rnnkit.training import train
from tests.hostile.case import Base
from tests.hostile.fork import warm
from tests.hostile.worker import KINDS, Outcome, once

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
    """Run so many inputs of these kinds, in turn; the same ones for the same seed.

    Raises:
        RuntimeError: a worker, not an input, was killed.
    """
    with tempfile.TemporaryDirectory(prefix="rnnkit-hostile-") as name:
        rooms = Path(name)
        base = _base(rooms / "base")
        jobs = itertools.islice(zip(itertools.cycle(kinds), itertools.count()), count)
        # Each worker has one thread, so that it can be forked at any moment.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, warm, (base, rooms)) as pool:
            open = {pool.submit(once, *job, seed, base, rooms): job for job in jobs}
            try:
                for done in as_completed(list(open)):
                    job = open.pop(done)
                    yield done.result()
            except BrokenProcessPool as e:
                at = [job, *itertools.islice(open.values(), 2 * workers)]
                raise RuntimeError(f"a worker was killed, at one of {sorted(at)}") from e
            finally:
                pool.shutdown(cancel_futures=True)


def _base(folder: Path) -> Base:
    folder.mkdir(parents=True)
    write_scenes(folder / "data", train=20, val=8, seed=1)
    spec = folder / "spec.toml"
    spec.write_text(SPEC.format(data=folder / "data"))
    run = train(spec, out=folder / "runs" / "run")
    write_torch(load_model(run.folder / "best.h5"), run.folder / "weights.safetensors")
    return Base(folder / "data", folder / "runs" / "run", spec)
