"""`python -m benchmarks.derived`: how long a training step takes with a derived step back, beside the written one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from rnnkit.parallel import settle

settle()  # before NumPy

import numpy as np  # noqa: E402

from benchmarks.step_only import step_only  # noqa: E402
from rnnkit.errors import RegistryError  # noqa: E402
from rnnkit.kinds import RecurrentCell  # noqa: E402
from rnnkit.network import Packing, recurrent_layer  # noqa: E402
from rnnkit.registry import load, names  # noqa: E402

ROWS: Final = 128
STEPS: Final = 16
BEST: Final = 5
"""One of how many runs counts: other programs disturb the rest."""


def main(
    cells: Annotated[list[str] | None, typer.Argument(help="Some cells; all if left out.")] = None,
    hidden: Annotated[int, typer.Option(min=1, help="Width of inputs and states.")] = 256,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 40,
) -> None:
    """Time a recurrent layer forward and back, with each cell as it is and with its step back taken away."""
    print(f"N = {ROWS}, T = {STEPS}, D = H = {hidden}, float32, CPU time\n")
    print("| cell | written, ms | derived, ms | ratio |\n|---|---:|---:|---:|")
    for name in cells or names(RecurrentCell):
        try:
            cell = load(RecurrentCell, name)()
        except RegistryError:
            continue
        written, derived = measured(cell, hidden, rounds)
        print(f"| {name} | {1e3 * written:.1f} | {1e3 * derived:.1f} | {derived / written:.2f} |")


def measured(cell: RecurrentCell[Any, Any, Any], hidden: int, rounds: int) -> tuple[float, float]:
    """Seconds of a training step of a layer: with the step back that was written, and with the derived one."""
    runs = [training_step(cell, hidden), training_step(step_only(cell), hidden)]
    times: list[list[float]] = [[], []]
    for i in range(rounds):
        for which in (0, 1) if i % 2 else (1, 0):
            begin = time.process_time()
            runs[which]()
            times[which].append(time.process_time() - begin)
    best = [sorted(found)[: max(1, rounds // BEST)] for found in times]
    return float(np.mean(best[0])), float(np.mean(best[1]))


def training_step(cell: RecurrentCell[Any, Any, Any], hidden: int) -> Callable[[], object]:
    """A layer, forward and back."""
    rng = np.random.default_rng(0)
    layer = recurrent_layer(cell, hidden, hidden, rng, np.dtype(np.float32))
    packing = Packing.of_lengths(np.full(ROWS, STEPS))
    x = rng.standard_normal((ROWS * STEPS, hidden)).astype(np.float32)
    h0 = rng.standard_normal((ROWS, cell.start_width(hidden))).astype(np.float32)
    dh = rng.standard_normal((ROWS * STEPS, hidden)).astype(np.float32)

    def step() -> object:
        _, tape = layer.forward(x, h0, packing)
        return layer.backward(dh, tape)

    step()
    return step


if __name__ == "__main__":
    typer.run(main)
