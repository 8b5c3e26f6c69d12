"""What tests have several ranks do: mpiexec -n R python -m tests.rank_jobs JOB ..

numbers DATA OUT     train the spec in float64 and in float32, and compare the ranks' parameters
overlap DATA OUT     the same, with gradients on their way during the backward pass, as between nodes
interrupt DATA OUT   the same, but for Ctrl-C on rank 1 after the ninth update
raise                on rank 1, while the others wait for it
command OUT ..       the command line, with a file in OUT for each rank's process id
full RANK OUT ..     the same, where this rank can write no file of more than 16 KiB
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

import rnnkit
from rnnkit.cli import main
from rnnkit.kinds import Array, Ints
from rnnkit.parallel import Ranks, job
from rnnkit.training import Step, Trainer

SPEC = """
[model]
words = { use = "embedding", dim = 16 }
[[model.rnn]]
hidden = 24
cell = "lstm"
[train]
epochs = 7
batch = 17
evaluate = 7
clip = 5.0
optimizer = { use = "adam", learning_rate = 5e-3 }
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
        out, *words = args[rank is not None :]
        with job() as ranks:
            (Path(out) / f"rank{ranks.rank}.pid").write_text(str(os.getpid()))
        if str(ranks.rank) == rank:
            import resource  # not on every system

            resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, resource.RLIM_INFINITY))
        sys.argv = ["rnnkit", *words]
        main()
        return
    with job() as ranks:
        if name == "raise":
            if ranks.rank == 1:
                raise ValueError("a row is upside down")
            ranks.sum(np.zeros(3))
        if name == "overlap":
            from rnnkit.parallel.mpi import MPIRanks  # initializes MPI

            assert isinstance(ranks, MPIRanks)
            ranks.overlaps = True
        if name == "interrupt" and ranks.rank == 1:
            press_control_c()
        numbers(ranks, *map(Path, args))


if __name__ == "__main__":
    run(*sys.argv[1:])
