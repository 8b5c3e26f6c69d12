"""The matrix products: which library and which of its kernels make them, how fast, and what holds them back.

OpenBLAS, NumPy's usual library for them, has a kernel for each family of processors, and takes the fastest that the
processor can run. Variables of the environment can hold it to another.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from rnnkit.describing.doctor.finding import Finding
from rnnkit.system.machine import blas
from rnnkit.system.process import HOLDING_BACK, held_back, settle

TURNS: Final = 2
"""How often each environment has its turn; the best one counts, as other programs only make one slower."""

WORTH_TELLING: Final = 1.1
"""Times that products must be faster without a variable for it to be advised against."""

_PROGRAM: Final = """
import time
import numpy as np
x, W = np.ones((1600, 768), np.float32), np.ones((768, 2048), np.float32)
y = x @ W
best, end = 1e9, time.perf_counter() + 0.3
while time.perf_counter() < end:
    began = time.perf_counter()
    np.matmul(x, W, out=y)
    best = min(best, time.perf_counter() - began)
print(2 * x.size * W.shape[1] / best / 1e9)
"""
"""Prints the GFLOP/s of a product about as large as those of a training step."""


@attrs.frozen
class Speed:
    """Of products in one environment.

    Attributes:
        kernel: the name of OpenBLAS's; None for another library.
        gflops: 10^9 multiplications and additions a second.
    """

    kernel: str | None
    gflops: float


def look() -> Iterator[Finding]:
    """How fast products are here, and whether something holds them back."""
    settle()
    variables = held_back(os.environ)
    free = {k: v for k, v in os.environ.items() if k not in HOLDING_BACK}
    speeds, freed = [], []
    for _ in range(TURNS):
        speeds.append(measured(os.environ))
        if variables:
            freed.append(measured(free))
    here = max(speeds, key=lambda speed: speed.gflops)
    advice = None
    if freed:
        best = max(freed, key=lambda speed: speed.gflops)
        times = best.gflops / here.gflops
        if times >= WORTH_TELLING:
            kernel = f" (kernel {best.kernel})" if best.kernel else ""
            advice = (
                f"{' and '.join(variables)} {'holds' if len(variables) == 1 else 'hold'} products back: without, they are {times:.1f} times as fast"
                f"{kernel}; unset {' '.join(name.partition('=')[0] for name in variables)}"
            )
    kernel = "" if here.kernel is None else f", kernel {here.kernel}"
    yield Finding("products", f"{blas()}{kernel}, {here.gflops:.0f} GFLOP/s in float32", advice)


def measured(environment: Mapping[str, str]) -> Speed:
    """The speed of products in a new process with this environment."""
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**environment, "OPENBLAS_VERBOSE": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    told = re.search(r"^Core: (.+)$", ran.stderr, re.MULTILINE)
    return Speed(told[1].strip() if told else None, float(ran.stdout))
