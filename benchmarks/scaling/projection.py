"""What the measurements say of data sets and clusters that are not here."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from benchmarks.scaling import fits, jobs, model
from benchmarks.scaling.model import Cluster, Link, Speeds, Step, Task, Work
from benchmarks.scaling.results import Compute, Reduction, Results, Shares

RANKS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
STRONG: Final = (128, 1024)
"""Rows of a batch, whatever the number of ranks."""

WEAK: Final = 128
"""Rows of a rank."""

NODE: Final = 64
"""Ranks of a node."""

PAYS: Final = 0.5
"""Efficiency below which more ranks are not worth their cores."""

UPDATES: Final = 100
"""Fewer updates an epoch are taken to learn too little of it."""

ETHERNET: Final = Link(30e-6, 10e9 / 8)
FAST: Final = Link(2e-6, 100e9 / 8)
"""Cards that nodes may have."""

LONG: Final = 4 << 20
"""Bytes from which on a buffer tells of the bandwidth: what is smaller may stay in the processor's caches."""

SHARED_MEMORY: Final = jobs.SHARED_MEMORY.name
TCP: Final = jobs.TCP.name
HERE: Final = "flickr8k"
"""The network that is trained here, and its data."""


@attrs.frozen
class DataSet:
    """What a network is trained on: V, the width F of its features (float32), and captions of an epoch."""

    name: str
    captions: int
    vocabulary: int
    features: int


COCO: Final = DataSet("COCO", 414_113, 10_000, 4096)
CC12M: Final = DataSet("Conceptual 12M", 12_000_000, 50_000, 4096)
DATA_SETS: Final = (COCO, CC12M)


def batches_of(ranks: int) -> Iterator[tuple[str, int]]:
    """The ways of choosing N that are projected: their names, and N."""
    for batch in STRONG:
        yield f"N = {batch:,}", batch
    yield f"{WEAK} rows a rank", WEAK * ranks


@attrs.frozen
class Point:
    """An epoch by R ranks.

    Attributes:
        ranks: R.
        batch: N.
        seconds: of the epoch.
        efficiency: one rank's seconds / R times these.
        step: an update.
        limit: the part of it that costs the most efficiency.
    """

    ranks: int
    batch: int
    seconds: float
    efficiency: float
    step: Step
    limit: str


@attrs.frozen
class Model:
    """The cost model with this machine's coefficients."""

    speeds: Speeds
    memory: Link
    by_node: bool
    _results: Results

    @staticmethod
    def of(results: Results) -> Model | None:
        """The model; None if reductions were not measured."""
        memory = link(results, SHARED_MEMORY)
        if memory is None:
            return None
        update, reading = results["update"], results["reading"]
        elements = [(float(n),) for n in update["elements"]]
        (of_update,) = fits.coefficients(elements, update["seconds"])
        (of_copy,) = fits.coefficients(elements, update["copy"])
        speeds = Speeds(of_update, of_copy, reading["rates"]["runs"])
        return Model(speeds, memory, sums_by_node(results), results)

    def clusters(self) -> list[Cluster]:
        """All ranks on one machine like this one; nodes with a card each."""
        return [
            Cluster("one machine", self.memory, self.memory, max(RANKS), self.by_node),
            Cluster("10 Gbit/s", self.memory, ETHERNET, NODE, self.by_node),
            Cluster("100 Gbit/s", self.memory, FAST, NODE, self.by_node),
        ]

    def otherwise(self) -> Model:
        """The same with the other kind of reduction."""
        return attrs.evolve(self, by_node=not self.by_node)

    def task(self, data: DataSet) -> Task:
        """A data set's network."""
        compute = computed(self._results, data.name)
        return Task(
            data.name, data.captions, compute["parameters"], 4 * data.features, work(compute)
        )

    def here(self, captions: int) -> Task:
        """The network that is trained here."""
        compute = computed(self._results, HERE)
        return Task(HERE, captions, compute["parameters"], 0, work(compute))

    def shares(self, ranks: int, batch: int) -> Shares | None:
        """Batches that were dealt out, if they were."""
        for shares in self._results["shares"]:
            if (shares["ranks"], shares["batch"]) == (ranks, batch):
                return shares
        return None

    def step(self, task: Task, cluster: Cluster, ranks: int, batch: int) -> Step | None:
        """An update; None if such batches were not dealt out."""
        shares = self.shares(ranks, batch)
        if shares is None:
            return None
        return model.step(task, self.speeds, cluster, ranks, batch, shares["batches"])

    def curve(self, task: Task, cluster: Cluster, way: str) -> list[Point]:
        """Epochs by more and more ranks, N chosen as `way` says."""
        points: list[Point] = []
        first: Step | None = None
        for ranks in RANKS:
            batch = dict(batches_of(ranks))[way]
            step = self.step(task, cluster, ranks, batch)
            if step is None:
                continue
            first = first or step
            begin = points[0] if points else None
            seconds = model.epoch(task, batch, step.seconds)
            points.append(
                Point(
                    ranks=ranks,
                    batch=batch,
                    seconds=seconds,
                    efficiency=model.efficiency(
                        begin.seconds if begin else seconds, ranks, seconds
                    ),
                    step=step,
                    limit=model.limit(
                        first, batch / (begin.batch if begin else batch), ranks, step
                    ),
                )
            )
        return points


def pays(points: Sequence[Point]) -> Point:
    """The last of a curve's points before efficiency is below one half."""
    good = [p for p in points if p.efficiency >= PAYS]
    return good[-1] if good else points[0]


def work(compute: Compute) -> Work:
    """Coefficients of a network's gradient."""
    return Work(*fits.coefficients(work_terms(compute), work_times(compute)))


def work_terms(compute: Compute) -> list[tuple[float, float, float]]:
    """What the seconds of a gradient are fitted by."""
    return [(1.0, float(b["tokens"]), float(b["steps"])) for b in compute["batches"]]


def work_times(compute: Compute) -> list[float]:
    """The seconds."""
    return [b["seconds"] for b in compute["batches"]]


def link_of(reduction: Reduction) -> Link:
    """Latency and bandwidth of a reduction's link: seconds = 2 log2 R messages and 2 (R - 1) / R of the buffer."""
    found = fits.coefficients(*link_terms(reduction))
    return Link(found[0], 1.0 / found[1] if found[1] else float("inf"))


def link_terms(reduction: Reduction) -> tuple[list[tuple[float, float]], list[float]]:
    """What the seconds of a reduction by two ranks are fitted by, and these: of the smallest and the long buffers."""
    pairs = zip(reduction["sizes"], reduction["shares"], strict=True)
    used = [(n, s) for n, s in pairs if n >= LONG or n == reduction["sizes"][0]]
    if len(used) < 2:
        used = list(zip(reduction["sizes"], reduction["shares"], strict=True))
    return [(2.0, float(n)) for n, _ in used], [s for _, s in used]


def reduction_of(results: Results, name: str, ranks: int = 2) -> Reduction | None:
    """The reductions through a link, if they were measured."""
    for reduction in results.get("reductions", []):
        if (reduction["link"], reduction["ranks"]) == (name, ranks):
            return reduction
    return None


def link(results: Results, name: str) -> Link | None:
    """The link of this name between two ranks, if it was measured."""
    reduction = reduction_of(results, name)
    return None if reduction is None else link_of(reduction)


def computed(results: Results, network: str) -> Compute:
    """The gradients of a network."""
    return next(c for c in results["compute"] if c["network"] == network)


def sums_by_node(results: Results) -> bool:
    """Whether ranks of a node sum among themselves first, by what two hosts with several ranks each have sent."""
    hosts = results.get("two_hosts")
    for s in hosts["steps"] if hosts else ():
        if s["ranks"] > 2:
            return abs(s["sent"] - sent(s["ranks"], True)) < abs(
                s["sent"] - sent(s["ranks"], False)
            )
    return False


def sent(ranks: int, by_node: bool) -> float:
    """Bytes that leave each of two hosts in an update, over those of the parameters."""
    if by_node:
        return 1.0
    return ranks / 2 * (ranks / 2) / ranks + (ranks - 1) / ranks


@attrs.frozen
class Check:
    """The model beside what was measured: seconds of an update."""

    name: str
    batch: int
    measured: float
    step: Step

    @property
    def error(self) -> float:
        """Model / measured - 1."""
        return self.step.seconds / self.measured - 1.0


def checks(results: Results, found: Model) -> Iterator[Check]:
    """One thread, ranks in shared memory, and ranks on two hosts."""
    here, count = found.clusters()[0], results["settings"]["ranks"]
    for entry in results["epochs"]:
        batch, captions = entry["batch"], entry["captions"]
        for name, ranks in (("1 thread", 1), (f"{count} ranks", count)):
            step = found.step(found.here(captions), here, ranks, batch)
            if name in entry["seconds"] and step is not None:
                updates = captions / batch
                measured = statistics.median(entry["seconds"][name]) / updates
                yield Check(name, batch, measured, step)
    hosts = results.get("two_hosts")
    if hosts is None:
        return
    between = link_of(hosts["reduction"])
    for s in hosts["steps"]:
        cluster = Cluster("two hosts", found.memory, between, s["ranks"] // 2, found.by_node)
        step = found.step(found.here(1), cluster, s["ranks"], s["batch"])
        if step is not None and s["ranks"] <= results["machine"]["cores"]:
            yield Check(f"two hosts, {hosts['rate']}", s["batch"], s["seconds"], step)
