"""What is measured, by the name that --only knows."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.bench import Measure
from benchmarks.measures import (
    decode,
    epoch,
    growth,
    memory,
    parts,
    quick,
    size,
    startup,
    train_step,
)

MEASURES: Final[dict[str, Measure[Any]]] = {
    "train_step": train_step.MEASURE,
    "parts": parts.MEASURE,
    "epoch": epoch.MEASURE,
    "decode": decode.MEASURE,
    "memory": memory.MEASURE,
    "growth": growth.MEASURE,
    "startup": startup.MEASURE,
    "size": size.MEASURE,
}

QUICK: Final = "quick"
"""The measurement of `--quick`, which is none of the others."""

EVERY: Final = {**MEASURES, QUICK: quick.MEASURE}
