"""Time of whole processes: rnnkit's commands, and what it takes only to import the frameworks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

import attrs

from benchmarks.bench import Bench, Measure
from benchmarks.ratios import milliseconds, ratios
from benchmarks.table import number
from benchmarks.turns import ROOT, take_turns
from rnnkit.data.scenes import write_scenes

BASE: Final = "rnnkit --help"


class Startup(TypedDict):
    """One command."""

    command: str
    ms: float
    ratio: float


@attrs.frozen
class Command:
    """A process that ends by itself."""

    words: Sequence[str]

    def seconds(self, count: int) -> float:
        """Mean time of a run."""
        began = time.perf_counter()
        for _ in range(count):
            subprocess.run(self.words, cwd=ROOT, check=True, capture_output=True)
        return (time.perf_counter() - began) / count


def entries(bench: Bench) -> Iterator[Startup]:
    """All commands."""
    scenes = bench.folder / "scenes"
    write_scenes(scenes, train=16, val=4)
    found = commands(scenes)
    for command in found.values():
        command.seconds(1)  # from now on the files are in the system's cache
    times = take_turns(found, bench.rounds, 1, bench.pause)
    medians, times_base = milliseconds(times), {BASE: 1.0, **ratios(times, base=BASE)}
    for name in found:
        yield Startup(command=name, ms=medians[name], ratio=times_base[name])


def commands(scenes: Path) -> Mapping[str, Command]:
    """Those that are timed, by the name in the table."""
    rnnkit = str(Path(sys.executable).with_name("rnnkit"))
    return {
        BASE: Command((rnnkit, "--help")),
        "rnnkit plugins list": Command((rnnkit, "plugins", "list")),
        "rnnkit build specs/lstm.toml": Command(
            (rnnkit, "build", "specs/lstm.toml", "--data", str(scenes))
        ),
        'python -c "import torch"': Command((sys.executable, "-c", "import torch")),
        'python -c "import jax"': Command((sys.executable, "-c", "import jax")),
    }


def row(entry: Startup) -> list[str]:
    """As text."""
    return [entry["command"], number(entry["ms"]), number(entry["ratio"])]


MEASURE: Final = Measure(
    "Whole processes: milliseconds, and time / that of rnnkit --help",
    ("command", "ms", "ratio"),
    entries,
    row,
    label_width=28,
)
