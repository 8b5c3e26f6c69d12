"""What tests have several ranks do: mpiexec -n R python -m tests.rank_jobs JOB ..

numbers DATA OUT     train the spec in float64 and in float32, and compare the ranks' parameters
groups DATA OUT NAME  a run with groups and averages by this optimizer
nodes DATA OUT       the same on two nodes, and as `overlap` in OUT/overlap
overlap DATA OUT     the same, with gradients on their way during the backward pass
interrupt DATA OUT   the same, but for Ctrl-C on rank 1 after the ninth update
captions DATA OUT    captions by several decoders and networks, and a run that is judged by its captions
raise                on rank 1, while the others wait for it
command OUT ..       the command line, with a file in OUT for each rank's process id
full RANK OUT ..     the same, where this rank can write no file of more than 16 KiB
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import rnnkit
from rnnkit.captioning import evaluation, images
from rnnkit.captioning.ensemble import Ensemble
from rnnkit.captioning.evaluation import evaluate
from rnnkit.kinds import Array, Decoder, Ints
from rnnkit.metrics import installed
from rnnkit.network.writer import Writer
from rnnkit.parallel import Ranks, job
from rnnkit.system.files import write_text_whole
from rnnkit.training import Step, Trainer
from rnnkit_builtin.decoders.beam import Beam
from rnnkit_builtin.decoders.greedy import Greedy
from rnnkit_builtin.decoders.sample import Sample
from tests.specs import LSTM

SPEC = f"""{LSTM}\
[train]
epochs = 7
batch = 17
evaluate = 7
clip = 5.0
optimizer = {{ use = "adam", learning_rate = 5e-3 }}
"""

DTYPES = ("float64", "float32")


def numbers(ranks: Ranks, data: Path, out: Path) -> None:
    """A run for each type; all ranks come to the same bits."""
    for dtype in DTYPES:
        run = rnnkit.train(
            rnnkit.parse_spec(SPEC, overrides=[f"model.dtype={dtype}"]),
            data,
            out / dtype,
            ranks=ranks,
        )
        for name, w in run.model.parameters.items():
            assert np.array_equal(w, ranks.broadcast(w)), name


GROUPS = """
average = 0.9
[[train.group]]
parts = "words.*"
frozen = true
until = 2
[[train.group]]
parts = "image.*"
learning_rate = 0.5
"""


def grouped(optimizer: str) -> rnnkit.Spec:
    """A spec with groups and averages."""
    text = SPEC.replace("epochs = 7", "epochs = 4").replace("adam", optimizer) + GROUPS
    return rnnkit.parse_spec(text, overrides=["model.dtype=float64"])


def groups(ranks: Ranks, data: Path, out: Path, optimizer: str) -> None:
    """A run of it; all ranks come to the same bits."""
    run = rnnkit.train(grouped(optimizer), data, out / "run", ranks=ranks)
    for name, w in run.model.parameters.items():
        assert np.array_equal(w, ranks.broadcast(w)), name


DECODERS: Mapping[str, Decoder] = {
    "greedy": Greedy(),
    "beam": Beam(width=3),
    "sample": Sample(temperature=0.7, draws=2),
}


JUDGED = (
    "train.metric=cider",
    "train.epochs=4",
    "train.evaluate=2",
    "train.optimizer.learning_rate=0.02",
)


def make_batches_small(put: Callable[[object, str, int], None] = setattr) -> None:
    """So that few images are several batches."""
    put(images, "BATCH", 5)
    put(evaluation, "EVAL_BATCH", 16)


def captions(ranks: Ranks, data: Path, out: Path) -> None:
    """Of networks in float32, which rounds; all ranks come to the same."""
    spec = rnnkit.parse_spec(SPEC)
    with rnnkit.open_data(data) as dataset:
        models = [
            rnnkit.build(attrs.evolve(spec, model=attrs.evolve(spec.model, seed=k)), dataset)
            for k in (1, 2)
        ]
        writers: Mapping[str, Writer[Any]] = {
            "one": models[0].frozen(),
            "two": Ensemble([model.frozen() for model in models]),
        }
        for name, writer in writers.items():
            for way, decoder in DECODERS.items():
                found = evaluate(writer, dataset, "train", decoder, metrics=(), ranks=ranks)
                assert ranks.broadcast(found) == found
                said = {"nats": found.nats, "captions": [*map(attrs.asdict, found.captions)]}
                ranks.first(partial(write_text_whole, out / f"{name}-{way}.json", json.dumps(said)))
    if installed():
        judged = [*JUDGED, "model.dtype=float64"]
        rnnkit.train(rnnkit.parse_spec(SPEC, overrides=judged), data, out / "run", ranks=ranks)


def press_control_c() -> None:
    """On this rank, after the ninth update."""
    update = Trainer.update

    def pressing(self: Trainer, captions: Ints, features: Array, of: int | None = None) -> Step:
        step = update(self, captions, features, of)
        if step.number == 9:
            os.kill(os.getpid(), signal.SIGINT)
        return step

    Trainer.update = pressing  # type: ignore[method-assign]  # the one callback of ranks beyond the first


def run(name: str, *args: str) -> None:
    """Do the job of this name."""
    if name in ("command", "full"):
        rank = args[0] if name == "full" else None
        folder, *words = args[rank is not None :]
        with job() as ranks:
            (Path(folder) / f"rank{ranks.rank}.pid").write_text(str(os.getpid()))
        if str(ranks.rank) == rank:
            import resource  # not on every system

            sys.dont_write_bytecode = True  # else modules that Python compiles are cut off, too
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, resource.RLIM_INFINITY))
        sys.argv = ["rnnkit", *words]
        from rnnkit.cli import main  # a program of the user's has none of it

        main()
        return
    with job() as ranks:
        if name == "raise":
            if ranks.rank == 1:
                raise ValueError("a row is upside down")
            ranks.sum(np.zeros(3))
        if name == "nodes":
            assert ranks.share == ([0, 2, 1, 3] if ranks.size == 4 else [0, 1, 2])[ranks.rank]
            numbers(ranks, Path(args[0]), Path(args[1]))
            args = (args[0], f"{args[1]}/overlap")
        if name in ("overlap", "nodes"):
            from rnnkit.parallel.mpi import MPIRanks  # initializes MPI

            assert isinstance(ranks, MPIRanks)
            ranks.overlaps = True
        if name == "interrupt" and ranks.rank == 1:
            press_control_c()
        if name == "groups":
            groups(ranks, Path(args[0]), Path(args[1]), args[2])
            return
        data, out = map(Path, args)
        if name == "captions":
            make_batches_small()
            captions(ranks, data, out)
        else:
            numbers(ranks, data, out)


if __name__ == "__main__":
    run(*sys.argv[1:])
