"""Cells whose step back is derived: what rnnkit writes for them, as methods that run."""

from __future__ import annotations

import functools
import linecache
import math
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from rnnkit.kinds.arrays import Array, DType, Ints, Mask, Rng
from rnnkit.kinds.cell import Cell, GatedCell, RecurrentCell
from rnnkit.kinds.cell_source import CellSource, cell_source
from rnnkit.kinds.step_only import FreeStep, GatedStep
from rnnkit.numerics import blocks, sigmoid


@attrs.frozen
class Derived:
    """The methods of a cell that are derived.

    Attributes:
        source: of the methods.
        step: (cell, p, zx, zh, s), or (cell, p, x, s), to the next state and what is kept.
        step_back: (cell, p, ds, cache) to the gradients.
    """

    source: CellSource
    step: Callable[..., tuple[Any, Any]]
    step_back: Callable[..., Any]


def derived(cell: GatedStep[Any, Any] | FreeStep[Any, Any]) -> Derived:
    """The derived methods of a cell with these options; they are made when they are first asked for.

    Raises:
        TraceError: its step cannot be traced, or has no derivative that is known; with the line.
    """
    return _compiled(cell)


@functools.lru_cache(maxsize=256)
def _compiled(cell: Any) -> Derived:
    source = cell_source(cell)
    names = {
        "np": np,
        "math": math,
        "attrs": attrs,
        "Array": Array,
        "Mask": Mask,
        "Ints": Ints,
        "sigmoid": sigmoid,
        "blocks": blocks,
    }
    made: dict[str, Any] = {**names, **source.classes}
    file = f"<derived of {type(cell).__module__}.{type(cell).__qualname__} {hash(cell)}>"
    head = "from __future__ import annotations\n\n"
    text = (
        "\n\n\n".join([p for p in (head + source.cache, source.step, source.step_back) if p]) + "\n"
    )
    linecache.cache[file] = (
        len(text),
        None,
        text.splitlines(keepends=True),
        file,
    )  # for tracebacks
    exec(compile(text, file, "exec"), made)
    return Derived(source, made["step"], made["step_back"])


class _OfCell:
    """What a derived cell has of the one that its author wrote."""

    cell: Any

    def start(self, h0: Array) -> Any:
        return self.cell.start(h0)

    def start_back(self, h0: Array, ds: Any) -> Any:
        return self.cell.start_back(h0, ds)

    def start_width(self, hidden: int) -> Any:
        return self.cell.start_width(hidden)

    def map_regions(self) -> Any:
        return self.cell.map_regions()

    def attention(self, s: Any) -> Any:
        return self.cell.attention(s)

    def step_back(self, p: Any, ds: Any, cache: Any) -> Any:
        return derived(self.cell).step_back(self.cell, p, ds, cache)


@attrs.frozen
class DerivedGated(_OfCell, GatedCell[Any, Any, Any]):
    """A `GatedStep` with its step back.

    Attributes:
        cell: what the author wrote.
    """

    cell: GatedStep[Any, Any]

    @property
    def x_gates(self) -> tuple[str, ...]:  # type: ignore[override]  # the class has none of its own
        return self.cell.x_gates

    @property
    def h_gates(self) -> tuple[str, ...]:  # type: ignore[override]  # as above
        return self.cell.h_gates

    def bias(self, gate: str) -> float:
        return self.cell.bias(gate)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> Any:
        return self.cell.init(hidden, rng, dtype)

    def step(self, p: Any, zx: Array, zh: Array, s: Any) -> tuple[Any, Any]:
        return derived(self.cell).step(self.cell, p, zx, zh, s)


@attrs.frozen
class DerivedFree(_OfCell, Cell[Any, Any, Any]):
    """A `FreeStep` with its step back.

    Attributes:
        cell: what the author wrote.
    """

    cell: FreeStep[Any, Any]

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> Any:
        return self.cell.init(in_features, hidden, rng, dtype)

    def step(self, p: Any, x: Array, s: Any) -> tuple[Any, Any]:
        return derived(self.cell).step(self.cell, p, x, s)


def whole(cell: RecurrentCell[Any, Any, Any]) -> RecurrentCell[Any, Any, Any]:
    """The cell itself if it has a step back; else the `GatedCell` or `Cell` that has the derived one."""
    if isinstance(cell, GatedStep):
        return DerivedGated(cell)
    return DerivedFree(cell) if isinstance(cell, FreeStep) else cell
