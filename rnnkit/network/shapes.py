"""Arrays that do not fit: a message that says which, and what it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rnnkit.errors import ShapeError
from rnnkit.kinds import Array, Arrays, RecurrentCell, named_arrays
from rnnkit.network.derived import DerivedFree, DerivedGated
from rnnkit.registry import entry_of


def need(name: str, a: Array, shape: tuple[int, ...], why: str) -> None:
    """Refuse an array of another shape, or of whole numbers.

    Raises:
        ShapeError: with its name, its shape, why that is wrong, and the right one.
    """
    if a.shape != shape:
        raise ShapeError(f"{name} is {a.shape}, and {why}: {shape}")
    need_floating(name, a)


def need_floating(name: str, a: Array) -> None:
    """Refuse whole numbers, which gradients would be rounded to.

    Raises:
        ShapeError: with what to do.
    """
    if a.dtype.kind not in "fc":
        raise ShapeError(
            f"{name} holds numbers of type {a.dtype}, and floating ones are needed here: tokens go through an "
            "embedding first, other numbers through astype(float)"
        )


def need_like(name: str, given: Arrays, wanted: Arrays, why: Callable[[], str]) -> None:
    """Refuse a container of another class, or with an array of another shape.

    Raises:
        ShapeError: with the name of the array.
    """
    arrays, likes = dict(named_arrays(given)), dict(named_arrays(wanted))
    if type(given) is not type(wanted) or arrays.keys() != likes.keys():
        raise ShapeError(f"{name} is {_listed(given)}, and {why()}: {_listed(wanted)}")
    for key, a in arrays.items():
        if a.shape != likes[key].shape:
            raise ShapeError(f"{name}.{key} is {a.shape}, and {why()}: {likes[key].shape}")
        need_floating(f"{name}.{key}", a)


def _listed(a: Arrays) -> str:
    return f"{type(a).__name__}({', '.join(key for key, _ in named_arrays(a))})"


def cell_name(cell: RecurrentCell[Any, Any, Any]) -> str:
    """What a spec calls the cell; the name of its class, if no package declares it."""
    written = cell.cell if isinstance(cell, DerivedGated | DerivedFree) else cell
    entry = entry_of(written)
    return entry.name if entry else type(written).__name__


def gate_shape(rows: str, gates: tuple[str, ...]) -> str:
    """The shape of a weight with a block for each gate, in letters: `(D, 4H)`."""
    width = {0: "0", 1: "H"}.get(len(gates), f"{len(gates)}H")
    return f"({rows}, {width})" if rows else f"({width},)"
