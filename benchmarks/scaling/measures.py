"""The measurements, one after the other; each puts what it finds into the results."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import attrs
import numpy as np

from benchmarks.captions import FLICKR8K_LENGTHS, read_source
from benchmarks.measures.train_step import agree
from benchmarks.scaling.jobs import SHARED_MEMORY, TCP, Launcher, no_mpi, run
from benchmarks.scaling.projection import DATA_SETS, HERE, RANKS, batches_of
from benchmarks.scaling.results import Compute, Epochs, HostsStep, Reduction, Results
from benchmarks.scaling.simulation import simulate
from benchmarks.scaling.two_hosts import impossible, two_hosts
from benchmarks.table import number
from rnnkit.kinds.arrays import Ints

BATCHES: Final = (128, 256)
RATE: Final = 1.0
"""Gigabits a second between two hosts."""

UPDATES: Final = 60
"""Of an epoch on random captions."""

HOSTS_UPDATES: Final = 40
DRAWS: Final = 3
"""Batches of each size whose gradients are timed."""

TOLERANCE: Final = 0.02
"""Between the mean losses of an epoch: ranks do not drop out the same."""

KB: Final = 2**10
BYTES: Final = tuple(4 * KB * 4**i for i in range(9))
"""4 KB to 256 MB."""


@attrs.frozen
class Measuring:
    """How to measure.

    Attributes:
        folder: for what is written on the way.
        data: a data folder, if there is one.
        ranks: that are compared with one process, as many as cores.
        rounds: how often each contender trains for an epoch.
        pause: seconds before each turn.
        hosts: whether two hosts are to be made.
        quick: whether only the smallest of everything is measured, to see that it runs.
        say: is told what was found.
    """

    folder: Path
    data: Path | None
    ranks: int
    rounds: int
    pause: float
    hosts: bool
    quick: bool
    say: Callable[[str], None]

    @property
    def data_name(self) -> str | None:
        """What jobs are told of the data."""
        return None if self.data is None else str(self.data.resolve())

    @property
    def seconds(self) -> float:
        """To spend on each thing that is timed over and over."""
        return 0.01 if self.quick else 0.5

    def limit(self, batch: int) -> int | None:
        """Captions of an epoch, unless it has all."""
        if self.quick:
            return 2 * batch
        return UPDATES * batch if self.data is None else None

    def run(self, job: str, *, cores: int | None = None, **rest: Any) -> Any:
        """A job, after a pause."""
        time.sleep(self.pause)
        return run(job, cores or self.ranks, **rest)

    def train(
        self,
        batch: int,
        limit: int | None,
        launcher: Launcher | None = None,
        ranks: int = 1,
        cores: int | None = None,
        overlaps: bool | None = None,
    ) -> Any:
        """An epoch of so many captions, after a pause."""
        time.sleep(self.pause)
        return run(
            "epoch",
            cores or self.ranks,
            launcher,
            ranks,
            began=time.time(),
            data=self.data_name,
            batch=batch,
            limit=limit,
            device=launcher and launcher.device,
            overlaps=overlaps,
        )

    def busy(self, job: str, **options: Any) -> Any:
        """A job on every core at once, or on one where there is no MPI; each process has one thread."""
        if no_mpi():
            return self.run(job, cores=1, **options)
        return self.run(job, launcher=SHARED_MEMORY, ranks=self.ranks, **options)


def epochs(m: Measuring, results: Results) -> None:
    """Whole epochs by one process and by ranks, in turns."""
    results["epochs"] = []
    if (reason := no_mpi()) is not None:
        results["not_measured"]["ranks"] = reason
    for batch in BATCHES[: 1 if m.quick else None]:
        limit = m.limit(batch)
        found: dict[str, list[Any]] = {threads(m.ranks): [], ranks(m.ranks): []}
        for _ in range(m.rounds):
            found[threads(m.ranks)].append(m.train(batch, limit))
            if no_mpi() is None:
                found[ranks(m.ranks)].append(m.train(batch, limit, SHARED_MEMORY, m.ranks))
        found[threads(1)] = [m.train(batch, limit, cores=1)]
        found = {name: rows for name, rows in found.items() if rows}
        agree(
            {name: [r["loss"] for r in rows[:1]] for name, rows in found.items()},
            TOLERANCE,
            base=threads(1),
        )
        entry = Epochs(
            batch=batch,
            captions=found[threads(1)][0]["captions"],
            updates=found[threads(1)][0]["updates"],
            seconds={name: [r["seconds"] for r in rows] for name, rows in found.items()},
            startup={
                name: statistics.median(r["startup"] for r in rows) for name, rows in found.items()
            },
            loss={name: rows[0]["loss"] for name, rows in found.items()},
        )
        results["epochs"].append(entry)
        medians = {name: statistics.median(times) for name, times in entry["seconds"].items()}
        m.say(
            f"an epoch at N = {batch}: "
            + ", ".join(f"{name} {number(s)} s" for name, s in medians.items())
        )


def threads(count: int) -> str:
    """What one process is called."""
    return f"{count} thread" + "s" * (count > 1)


def ranks(count: int) -> str:
    """What several are called."""
    return f"{count} ranks"


def reductions(m: Measuring, results: Results) -> None:
    """Sums over ranks by size, through shared memory and through TCP."""
    results["reductions"] = []
    if (reason := no_mpi()) is not None:
        results["not_measured"]["reductions"] = reason
        return
    for launcher in (SHARED_MEMORY, TCP):
        for count in (2,) if m.quick else (2, 4):
            sizes = BYTES[:4] if m.quick else BYTES
            entry = _reduction(m, launcher, count, sizes)
            results["reductions"].append(entry)
            m.say(
                f"a reduction by {count} ranks, {launcher.name}: "
                f"{number(1e6 * entry['shares'][0])} µs of {sizes[0]} bytes, "
                f"{number(1e3 * entry['shares'][-1])} ms of {sizes[-1]}"
            )


def _reduction(m: Measuring, launcher: Launcher, count: int, sizes: tuple[int, ...]) -> Reduction:
    found: Any = m.run(
        "reduce",
        launcher=launcher,
        ranks=count,
        sizes=sizes,
        seconds=m.seconds / 2,
        device=launcher.device,
    )
    about = {"link": launcher.name, "ranks": count, "cores": m.ranks}
    return cast(Reduction, about | found)


def compute(m: Measuring, results: Results) -> None:
    """Gradients of the network that is trained, and of those that are projected to."""
    results["compute"] = []
    for name, most, options in _networks(m):
        sizes = [2**i for i in range((2 if m.quick else most).bit_length())]
        found = m.busy(
            "gradients", sizes=sizes, draws=1 if m.quick else DRAWS, seconds=m.seconds, **options
        )
        entry = cast(Compute, {"network": name} | found)
        results["compute"].append(entry)
        m.say(
            f"gradients of the {name} network, {entry['parameters']:,} parameters: "
            f"{number(1e3 * entry['batches'][0]['seconds'])} ms of one row, "
            f"{number(1e3 * entry['batches'][-1]['seconds'])} ms of {sizes[-1]}"
        )


def _networks(m: Measuring) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Name, largest batch, and options; a large vocabulary takes too long for large batches."""
    yield HERE, 256, {"data": m.data_name, "vocabulary": None, "features": None}
    for data, most in zip(DATA_SETS, (64, 16), strict=True):
        yield (
            data.name,
            most,
            {"data": None, "vocabulary": data.vocabulary, "features": data.features},
        )


def update(m: Measuring, results: Results) -> None:
    """The optimizer's update by number of elements."""
    elements = [2**i for i in range(14, 17 if m.quick else 25, 2)]
    results["update"] = m.busy("update", elements=elements, seconds=m.seconds)
    times = zip(elements, results["update"]["seconds"], strict=True)
    m.say("an update: " + ", ".join(f"{n:,} elements {number(1e3 * s)} ms" for n, s in times))


def reading(m: Measuring, results: Results) -> None:
    """Rows of features from a file."""
    rows = 256 if m.quick else 32 * KB
    results["reading"] = m.run(
        "read", cores=1, folder=str(m.folder), row_bytes=16 * KB, rows=rows, run=64
    )
    rates = results["reading"]["rates"].items()
    m.say("reading: " + ", ".join(f"{name} {number(rate / 1e6)} MB/s" for name, rate in rates))


def hosts(m: Measuring, results: Results) -> None:
    """The same on two hosts with a slow link between them."""
    reason = impossible() if m.hosts else "not asked for: --two-hosts"
    if reason is not None:
        results["not_measured"]["two_hosts"] = reason
        return
    sizes = BYTES[:4] if m.quick else BYTES[:7]
    try:
        with two_hosts(m.folder, RATE) as launcher:
            entry = _reduction(m, launcher, 2, sizes)
            steps = [_hosts_step(m, launcher, 2, n) for n in BATCHES[: 1 if m.quick else None]]
            steps.append(_hosts_step(m, launcher, 4, BATCHES[0]))
    except subprocess.CalledProcessError as e:
        said = str(e.stderr, "utf-8", "replace").strip().splitlines()
        results["not_measured"]["two_hosts"] = f"{' '.join(e.cmd)}: {said[-1] if said else e}"
        return
    results["two_hosts"] = {"rate": f"{RATE:g} Gbit/s", "reduction": entry, "steps": steps}
    for s in steps:
        m.say(
            f"two hosts, N = {s['batch']}, {s['ranks']} ranks: {number(1e3 * s['seconds'])} ms an update, "
            f"{number(1e3 * s['overlapped'])} ms with gradients sent during the backward pass, "
            f"{number(s['sent'])} times the parameters' bytes sent"
        )


def _hosts_step(m: Measuring, launcher: Launcher, count: int, batch: int) -> HostsStep:
    limit = batch * (2 if m.quick else HOSTS_UPDATES)
    found, overlapped = (
        m.train(batch, limit, launcher, count, overlaps=overlaps) for overlaps in (False, True)
    )
    return HostsStep(
        batch=batch,
        ranks=count,
        updates=found["updates"],
        seconds=found["seconds"] / found["updates"],
        overlapped=overlapped["seconds"] / overlapped["updates"],
        sent=found["sent"],
    )


def shares(m: Measuring, results: Results) -> None:
    """Batches dealt out to up to 1,024 ranks."""
    rng, lengths = np.random.default_rng(0), _lengths(m.data)
    wanted = [(count, batch) for batch in BATCHES for count in (1, 2, 4, m.ranks)]
    for count in RANKS[: 4 if m.quick else None]:
        wanted += [(count, batch) for _, batch in batches_of(count)]
    results["shares"] = [simulate(lengths, *pair, rng) for pair in sorted(set(wanted))]
    m.say(f"dealt out batches of {len(lengths):,} captions to 1 to {max(wanted)[0]} ranks")


def _lengths(data: Path | None) -> Ints:
    """Tokens of captions with their start."""
    if data is not None:
        counted: Ints = np.count_nonzero(read_source(data).captions, axis=1)
        return counted
    return np.repeat(np.arange(1, len(FLICKR8K_LENGTHS) + 1), FLICKR8K_LENGTHS)


MEASURES: Final = {
    "epochs": epochs,
    "reductions": reductions,
    "compute": compute,
    "update": update,
    "reading": reading,
    "two_hosts": hosts,
    "shares": shares,
}
