"""One process of a job that is measured: an ordinary one, or a rank that mpiexec has started.

    python -m benchmarks.scaling.rank JOB CORES OPTIONS

OPTIONS is JSON, and so is the line that the first rank prints. The processes of a job share so many cores, each with
its part of them.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.worker import cores
from rnnkit.parallel import Ranks, job
from rnnkit.system.process import settle

if TYPE_CHECKING:
    from benchmarks.captions import Source
    from benchmarks.scaling.results import Batch
    from rnnkit.kinds import Array

LEAST: Final = 3
MOST: Final = 200
"""How often something is timed, at least and at most."""

OTHER: Final = 1 << 26
"""Bytes that are more than the processor's caches hold."""


def epoch(
    ranks: Ranks,
    began: float,
    data: str | None,
    batch: int,
    limit: int | None,
    device: str | None,
    overlaps: bool | None,
) -> dict[str, Any]:
    """Train for an epoch, or on the first `limit` captions; gradients are sent during the backward pass if it
    `overlaps`.

    Returns:
        `seconds` of it, and `startup` from `began` to its beginning; its `loss` and `updates`; bytes that were `sent`
        through a network device, over those of the parameters, in an update.
    """
    import attrs

    from benchmarks.scaling.network import captioner, split_of
    from rnnkit.training import Trainer

    if overlaps is not None:
        from rnnkit.parallel.mpi import MPIRanks

        assert isinstance(ranks, MPIRanks)
        ranks.overlaps = overlaps
    source = _source(data)
    split = split_of(source)
    trainer = Trainer(
        captioner(source, batch),
        attrs.evolve(split, captions=split.captions[:limit], image_idxs=split.image_idxs[:limit]),
        ranks=ranks,
    )
    ranks.any(False)
    startup, before, start = time.time() - began, _sent(device), time.perf_counter()
    (record,) = trainer.records()
    seconds, sent = time.perf_counter() - start, _sent(device) - before
    size = sum(w.nbytes for w in trainer.model.parameters.values())
    return {
        "seconds": seconds,
        "startup": startup,
        "loss": record.train_loss,
        "captions": len(split.captions[:limit]),
        "updates": trainer.step,
        "sent": sent / size / trainer.step,
    }


def gradients(
    ranks: Ranks,
    data: str | None,
    vocabulary: int | None,
    features: int | None,
    sizes: list[int],
    draws: int,
    seconds: float,
) -> dict[str, Any]:
    """Compute gradients of batches, all ranks the same at the same time.

    Args:
        ranks: the ranks.
        data: a data folder, for captions and their network.
        vocabulary: V of random captions instead.
        features: F of them.
        sizes: N.
        draws: batches of each size.
        seconds: to spend on each batch.
    """
    import numpy as np

    from benchmarks.captions import random_source
    from benchmarks.scaling.network import captioner

    source = random_source(1024, vocabulary, features) if vocabulary and features else _source(data)
    model = captioner(source, sizes[0])
    rng = np.random.default_rng(0)
    batches: list[Batch] = []
    for n in sizes:
        for drawn in (source.batch(n, rng) for _ in range(draws)):
            targets = np.count_nonzero(drawn.captions, axis=1) - 1
            run = partial(model.loss_and_gradients, drawn.features, drawn.captions, rng)
            batches.append(
                {
                    "rows": n,
                    "tokens": int(targets.sum()),
                    "steps": int(targets.max()),
                    "seconds": _timed(ranks, run, seconds),
                }
            )
    return {
        "parameters": sum(w.size for w in model.parameters.values()),
        "vocabulary": source.vocabulary,
        "features": source.features.shape[1],
        "busy": ranks.size,
        "batches": batches,
    }


def update(ranks: Ranks, elements: list[int], seconds: float) -> dict[str, Any]:
    """Update arrays with the optimizer of the network that is trained, in blocks as training does; and copy them.

    Before each run other memory is gone over, for gradients do that, too.
    """
    import numpy as np

    from benchmarks.captions import random_source
    from benchmarks.scaling.network import captioner
    from rnnkit.kinds import map_arrays

    block, other = 1 << 17, np.ones(OTHER // 4, np.float32)
    optimizer = captioner(random_source(rows=2), 1).spec.train.optimizer
    times, copies = [], []
    for n in elements:
        w, g, buffer = (np.full(n, 1e-3, np.float32) for _ in range(3))
        slots = optimizer.slots(w)
        parts = [slice(i, i + block) for i in range(0, n, block)]
        blocks = [(w[p], g[p], map_arrays(lambda a, p=p: a[p], slots)) for p in parts]

        def run(blocks: Any = blocks) -> None:
            for values, gradient, own in blocks:
                optimizer.update(values, gradient, own, 1, 1.0)

        times.append(_timed(ranks, run, seconds, other))
        copies.append(_timed(ranks, partial(np.copyto, buffer, g), seconds, other))
    return {"elements": elements, "seconds": times, "copy": copies}


def reduce(ranks: Ranks, sizes: list[int], seconds: float, device: str | None) -> dict[str, Any]:
    """Sum buffers of float32 over ranks: in shares and put together again, or as a whole."""
    import numpy as np
    from mpi4py import MPI

    world, few = MPI.COMM_WORLD, np.zeros(4)

    def small() -> None:
        ranks.sum(few)
        ranks.any(False)

    shares, whole, sent = [], [], None
    for size in sizes:
        buffer = np.zeros(size // 4 // ranks.size * ranks.size, np.float32)
        share = np.zeros(len(buffer) // ranks.size, np.float32)

        def in_shares(buffer: Any = buffer, share: Any = share) -> None:
            world.Reduce_scatter_block(buffer, share)
            world.Allgather(MPI.IN_PLACE, buffer)

        shares.append(_timed(ranks, in_shares, seconds))
        whole.append(_timed(ranks, partial(world.Allreduce, MPI.IN_PLACE, buffer), seconds))
        if device and size == sizes[-1]:
            before = _sent(device)
            in_shares()
            ranks.any(False)
            sent = (_sent(device) - before) / buffer.nbytes
    return {
        "sizes": sizes,
        "shares": shares,
        "whole": whole,
        "small": _timed(ranks, small, seconds),
        "sent": sent,
    }


def read(ranks: Ranks, folder: str, row_bytes: int, rows: int, run: int) -> dict[str, Any]:
    """Read rows of an HDF5 file that is not in the system's cache: in order, by shuffled runs of neighbours, and by
    single shuffled rows; bytes a second."""
    import h5py
    import numpy as np

    path, rng = Path(folder) / "features.h5", np.random.default_rng(0)
    values = rng.standard_normal((run, row_bytes // 4), np.float32)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("features", (rows, row_bytes // 4), np.float32)
        for begin in range(0, rows, run):
            dataset[begin : begin + run] = values
    begins = np.arange(0, rows, run)
    orders = {
        "in order": (begins, run),
        "runs": (rng.permutation(begins), run),
        "rows": (rng.permutation(rows)[: rows // 8], 1),
    }
    rates = {}
    for name, (starts, length) in orders.items():
        _out_of_cache(path)
        with h5py.File(path, "r", rdcc_nbytes=0) as file:
            dataset, into = file["features"], np.empty((length, row_bytes // 4), np.float32)
            start = time.perf_counter()
            for i in starts.tolist():
                dataset.read_direct(into, np.s_[i : i + length])
            taken = time.perf_counter() - start
        rates[name] = len(starts) * length * row_bytes / taken
    size = path.stat().st_size
    path.unlink()
    return {
        "filesystem": _filesystem(path),
        "file_bytes": size,
        "row_bytes": row_bytes,
        "rates": rates,
    }


JOBS: Final[Mapping[str, Callable[..., dict[str, Any]]]] = {
    "epoch": epoch,
    "gradients": gradients,
    "update": update,
    "reduce": reduce,
    "read": read,
}


def _source(data: str | None) -> Source:
    from benchmarks.captions import random_source, read_source

    return read_source(Path(data)) if data else random_source(rows=30_000)


def _timed(
    ranks: Ranks, run: Callable[[], object], seconds: float, other: Array | None = None
) -> float:
    """Median seconds of a run that all ranks begin together, the mean over ranks; for about so long in all. An `other`
    array is changed before each run."""

    def once() -> float:
        if other is not None:
            other[:] += 1.0
        ranks.any(False)
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    start = time.perf_counter()
    once()
    taken = ranks.broadcast(time.perf_counter() - start)
    mine = statistics.median(once() for _ in range(min(MOST, max(LEAST, int(seconds / taken)))))
    return statistics.fmean(ranks.each(lambda: mine))


def _sent(device: str | None) -> int:
    """Bytes that left through a network device so far."""
    if device is None:
        return 0
    return int(Path(f"/sys/class/net/{device}/statistics/tx_bytes").read_text())


def _out_of_cache(path: Path) -> None:
    """Have the system forget what it keeps of a file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _filesystem(path: Path) -> str:
    """The type of the file system that a path is on."""
    rows = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    mounts = [(len(at), kind) for at, kind in rows if path.is_relative_to(at)]
    return max(mounts)[1] if mounts else "unknown"


def main(name: str, count: str, options: str) -> None:
    """Do a job; nothing imports NumPy before the process is set up."""
    os.sched_setaffinity(0, cores(int(count)))
    with job() as ranks:
        settle(ranks.sharing)
        found = JOBS[name](ranks, **json.loads(options))
        if ranks.rank == 0:
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
