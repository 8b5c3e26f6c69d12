"""The JSON file of a run."""

from __future__ import annotations

from typing import TypedDict

from benchmarks.machine import Machine
from benchmarks.measures.decode import Decode
from benchmarks.measures.epoch import Epoch
from benchmarks.measures.growth import Growth
from benchmarks.measures.memory import Memory
from benchmarks.measures.parts import Parts
from benchmarks.measures.quick import Quick
from benchmarks.measures.size import Size
from benchmarks.measures.startup import Startup
from benchmarks.measures.train_step import TrainStep


class Settings(TypedDict):
    """How it was measured; `data` is the name of the data folder, if there was one."""

    rounds: int
    steps: int
    pause: float
    threads: int
    data: str | None


class Results(TypedDict, total=False):
    """What was measured; a ratio is a contender / rnnkit.

    `geometric_mean` is that of the ratios of `train_step`, over the vanilla network and the LSTM;
    `not_measured` has the reasons of measurements that could not be made; `load` has the cores that other programs
    kept busy before and during each; `kernels` says who makes the matrix products of whom.
    """

    train_step: list[TrainStep]
    geometric_mean: dict[str, float]
    parts: list[Parts]
    epoch: list[Epoch]
    decode: list[Decode]
    memory: list[Memory]
    growth: list[Growth]
    startup: list[Startup]
    size: list[Size]
    quick: list[Quick]
    not_measured: dict[str, str]
    load: dict[str, float]
    kernels: dict[str, str]
    settings: Settings
    machine: Machine
