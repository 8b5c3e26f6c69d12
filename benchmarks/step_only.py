"""Cells with their step back taken away."""

from __future__ import annotations

from typing import Any

import attrs

from rnnkit.kinds import Array, DType, FreeStep, GatedCell, GatedStep, RecurrentCell, Rng
from rnnkit.network.derived import OfCell


def step_only(cell: RecurrentCell[Any, Any, Any]) -> RecurrentCell[Any, Any, Any]:
    """A cell that has the step of another, and no step back."""
    if isinstance(cell, GatedCell):
        gates = {"x_gates": cell.x_gates, "h_gates": cell.h_gates}
        made = attrs.frozen(type(f"{type(cell).__name__}Step", (_GatedStep,), gates))
        return made(cell)  # type: ignore[no-any-return]  # the type of a class made here
    return _FreeStep(cell)


@attrs.frozen
class _GatedStep(OfCell, GatedStep[Any, Any]):
    cell: GatedCell[Any, Any, Any]

    def bias(self, gate: str) -> float:
        return self.cell.bias(gate)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> Any:
        return self.cell.init(hidden, rng, dtype)

    def step(self, p: Any, zx: Array, zh: Array, s: Any) -> Any:
        return self.cell.step(p, zx, zh, s)[0]


@attrs.frozen
class _FreeStep(OfCell, FreeStep[Any, Any]):
    cell: Any

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> Any:
        return self.cell.init(in_features, hidden, rng, dtype)

    def step(self, p: Any, x: Array, s: Any) -> Any:
        return self.cell.step(p, x, s)[0]
