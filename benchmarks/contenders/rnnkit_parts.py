"""rnnkit: where the time of a training step goes, by who spends it."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from benchmarks.contenders.rnnkit_training import step
from benchmarks.task import Task

Function: TypeAlias = tuple[str, int, str]
"""File, line and name, as `pstats` has it."""

Times: TypeAlias = tuple[int, int, float, float]
"""Calls, first calls, own seconds, and seconds with those of the functions it calls."""

Entry: TypeAlias = tuple[int, int, float, float, Mapping[Function, Times]]
"""The times of a function, and those of its calls by each caller."""

WARM: Final = 4
STEPS: Final = 40

PRODUCTS: Final = ("system/blas.py", "numerics.py:product", "numerics.py:_way")
OWNERS: Final = {
    "cells/": "cell",
    "layers/": "layers",
    "network/chain.py": "layers",
    "losses/": "loss",
    "network/head.py": "loss",
    "network/losses.py": "loss",
    "optimizers/": "update",
    "training/blocks.py": "update",
    "training/descent.py": "update",
    "network/": "engine",
    "training/": "engine",
}
"""Part of a file's path -> what its time is counted as, by the first that fits. That of others is their callers'."""

PARTS: Final = ("products", "cell", "layers", "loss", "update", "engine")


def parts(task: Task) -> Callable[[int], dict[str, float]]:
    """Seconds a step of each part; what waits for other threads counts where it waits."""
    update = step(task)

    def run(_: int) -> dict[str, float]:
        for i in range(WARM):
            update(i % len(task.batches))
        profile = cProfile.Profile(time.perf_counter)
        profile.enable()
        for i in range(STEPS):
            update(i % len(task.batches))
        profile.disable()
        found = by_part(pstats.Stats(profile).stats)  # type: ignore[attr-defined]  # typeshed leaves it out
        return {name: seconds / STEPS for name, seconds in found.items()}

    return run


def by_part(entries: Mapping[Function, Entry]) -> dict[str, float]:
    """Seconds of each part, from the own seconds of each function and those that each caller of it has had of them."""

    def shares(function: Function, path: tuple[Function, ...] = ()) -> dict[str, float]:
        """How the own time of a function is divided among the parts; of one that calls itself, by its first callers."""
        owner = _owner(function)
        if owner is not None:
            return {owner: 1.0}
        path = (*path, function)
        callers = {f: times[2] for f, times in entries[function][4].items() if f not in path}
        total = sum(callers.values())
        if not total:
            return {"engine": 1.0}
        found = dict.fromkeys(PARTS, 0.0)
        for caller, own in callers.items():
            for part, share in shares(caller, path).items():
                found[part] += share * own / total
        return found

    spent = dict.fromkeys(PARTS, 0.0)
    for function, entry in entries.items():
        for part, share in shares(function).items():
            spent[part] += entry[2] * share
    return spent


def _owner(function: Function) -> str | None:
    file, _, name = function
    where = f"{file}:{name}"
    if any(part in where for part in PRODUCTS):
        return "products"
    return next((owner for part, owner in OWNERS.items() if part in file), None)
