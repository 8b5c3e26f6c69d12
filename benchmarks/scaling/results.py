"""The JSON file of a run: what was measured, and the simulated shares of batches."""

from __future__ import annotations

from typing import TypedDict

from benchmarks.machine import Machine


class Settings(TypedDict):
    """How it was measured; `data` is the name of the data folder, if there was one, and `command` the options."""

    command: str
    rounds: int
    pause: float
    ranks: int
    data: str | None


class Epochs(TypedDict):
    """Training for one epoch at one size of batch; seconds of each round, and losses, by contender."""

    batch: int
    captions: int
    updates: int
    seconds: dict[str, list[float]]
    startup: dict[str, float]
    loss: dict[str, float]


class Reduction(TypedDict):
    """Sums of buffers of float32 over ranks.

    Attributes:
        link: what the ranks reach each other through.
        ranks: how many, R.
        cores: that they share.
        sizes: bytes of a buffer.
        shares: seconds of a reduce-scatter and an all-gather, at each size.
        whole: seconds of an allreduce.
        small: seconds of the sums of a few numbers that an update has besides.
        sent: bytes that left through the network device at the largest size, of a reduce-scatter and an all-gather,
            over those of the buffer; None if the link has no device.
    """

    link: str
    ranks: int
    cores: int
    sizes: list[int]
    shares: list[float]
    whole: list[float]
    small: float
    sent: float | None


class Batch(TypedDict):
    """The gradient of one batch: its size, and the seconds it takes with one thread."""

    rows: int
    tokens: int
    steps: int
    seconds: float


class Compute(TypedDict):
    """Gradients of one network, while every core computes the same."""

    network: str
    parameters: int
    vocabulary: int
    features: int
    busy: int
    batches: list[Batch]


class Update(TypedDict):
    """The optimizer's update, and a copy, of so many elements that are not in the processor's caches; seconds with
    one thread, every core busy."""

    elements: list[int]
    seconds: list[float]
    copy: list[float]


class Reading(TypedDict):
    """Rows of an HDF5 file that is not in the system's cache; bytes a second by the order of reading."""

    filesystem: str
    file_bytes: int
    row_bytes: int
    rates: dict[str, float]


class Shares(TypedDict):
    """Batches dealt out by `rnnkit.training.sharing.share`: for each, its tokens, and (tokens, steps) of the ranks that
    may be the slowest; the others have no more of either."""

    batch: int
    ranks: int
    tokens: list[int]
    batches: list[list[tuple[int, int]]]


class HostsStep(TypedDict):
    """Updates by ranks on two hosts: mean seconds with gradients sent after the backward pass, and during it; and
    bytes that the first host sent over those of the parameters."""

    batch: int
    ranks: int
    updates: int
    seconds: float
    overlapped: float
    sent: float


class TwoHosts(TypedDict):
    """Two network namespaces with a link of limited rate."""

    rate: str
    reduction: Reduction
    steps: list[HostsStep]


class Results(TypedDict, total=False):
    """What was measured; `not_measured` has the reasons of what could not be."""

    settings: Settings
    machine: Machine
    epochs: list[Epochs]
    reductions: list[Reduction]
    compute: list[Compute]
    update: Update
    reading: Reading
    two_hosts: TwoHosts
    shares: list[Shares]
    not_measured: dict[str, str]
