"""Cells whose step back is derived: what rnnkit writes for them, as methods that run."""

from __future__ import annotations

import functools
import linecache
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from rnnkit.kinds.arrays import Array, DType, Ints, Mask, Rng
from rnnkit.kinds.cell import Cell, GatedCell, RecurrentCell
from rnnkit.kinds.step_only import FreeStep, GatedStep
from rnnkit.numerics import blocks, sigmoid

if TYPE_CHECKING:
    from rnnkit.kinds.cell_source import CellSource

NAMES: Final = {
    "np": np,
    "math": math,
    "attrs": attrs,
    "sigmoid": sigmoid,
    "blocks": blocks,
    "Array": Array,
    "Mask": Mask,
    "Ints": Ints,
}
"""What derived source uses, beside the classes of the plugin's arrays."""


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


@functools.lru_cache(maxsize=256)
def derived(cell: GatedStep[Any, Any] | FreeStep[Any, Any]) -> Derived:
    """The derived methods of a cell with these options; they are made once.

    Raises:
        TraceError: its step cannot be traced, or has no derivative that is known; with the line.
    """
    from rnnkit.kinds.cell_source import cell_source  # most networks need none

    return compiled(
        cell_source(cell), f"{type(cell).__module__}.{type(cell).__qualname__} {hash(cell)}"
    )


def compiled(source: CellSource, of: str) -> Derived:
    """The methods of some source.

    Args:
        source: of a cell.
        of: whose it is, for tracebacks.
    """
    parts = ["from __future__ import annotations", source.cache, source.step, source.back]
    text = "\n\n\n".join(filter(None, parts)) + "\n"
    file = f"<derived of {of}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    made: dict[str, Any] = {**NAMES, **source.classes}
    exec(compile(text, file, "exec"), made)
    return Derived(source, made["step"], made["step_back"])


class OfCell:
    """What a cell that is made of another one has of it: all but its step and its way back."""

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


class _WithStepBack(OfCell):
    """A cell with the step back that was derived for it."""

    methods: Derived

    def step_back(self, p: Any, ds: Any, cache: Any) -> Any:
        return self.methods.step_back(self.cell, p, ds, cache)


@attrs.frozen
class DerivedGated(_WithStepBack, GatedCell[Any, Any, Any]):
    """A `GatedStep` with its step back.

    Attributes:
        cell: what the author wrote.
        methods: derived from it.
    """

    cell: GatedStep[Any, Any]
    methods: Derived = attrs.field(eq=False, repr=False)

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
        return self.methods.step(self.cell, p, zx, zh, s)


@attrs.frozen
class DerivedFree(_WithStepBack, Cell[Any, Any, Any]):
    """A `FreeStep` with its step back.

    Attributes:
        cell: what the author wrote.
        methods: derived from it.
    """

    cell: FreeStep[Any, Any]
    methods: Derived = attrs.field(eq=False, repr=False)

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> Any:
        return self.cell.init(in_features, hidden, rng, dtype)

    def step(self, p: Any, x: Array, s: Any) -> tuple[Any, Any]:
        return self.methods.step(self.cell, p, x, s)


def whole(cell: RecurrentCell[Any, Any, Any]) -> RecurrentCell[Any, Any, Any]:
    """The cell itself if it has a step back; else the `GatedCell` or `Cell` that has the derived one.

    Raises:
        TraceError: its step cannot be traced, or has no derivative that is known; with the line.
    """
    if isinstance(cell, GatedStep):
        return DerivedGated(cell, derived(cell))
    return DerivedFree(cell, derived(cell)) if isinstance(cell, FreeStep) else cell
