"""What can be derived of a plugin class, as source for its own file."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final, get_args

import attrs
import numpy as np

from rnnkit.errors import RnnkitError, TraceError
from rnnkit.kinds import (
    Activation,
    FreeStep,
    GatedCell,
    GatedStep,
    Layer,
    Loss,
    Plugin,
    RecurrentCell,
    named_arrays,
)
from rnnkit.kinds.arrays import with_values
from rnnkit.kinds.cell_source import CellSource, cell_source
from rnnkit.kinds.map_source import activation_source, layer_source, loss_source
from rnnkit.kinds.source import Source
from rnnkit.kinds.traced import ROWS, CellTrace, named, traced
from rnnkit.network.derived import compiled
from rnnkit.testing.variants import variants
from rnnkit.tracing.reverse import gradient

BACK: Final = ("step_back", "backward")


@attrs.frozen
class Derivation:
    """What is derived of a class.

    Attributes:
        cls: the class.
        forward: the name of its way forward.
        base: what it must subclass with what is derived, as `GatedCell`; empty if its base stays as it is.
        source: what is derived.
        others: options with which it computes something else, for which this source is wrong.
    """

    cls: type[Plugin]
    forward: str
    base: str
    source: Source
    others: tuple[str, ...]


def derivation(cls: type[Plugin]) -> Derivation:
    """Derive what a class needs beside its way forward.

    Raises:
        TraceError: it cannot be traced, has no derivative that is known, or is of a kind that has none.
    """
    made = complete(cls)
    name = _name_of_cache(cls)
    first, *rest = variants(made)
    found = _source(first.plugin, name)
    others = [v.label for v in rest if v.promised and not _same(v.plugin, name, found)]
    return Derivation(cls, _forward(cls), _base(cls), found, tuple(others))


def complete(cls: type[Plugin]) -> type[Plugin]:
    """The class, or one like it that has ways back, if it lacks them."""
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if not missing:
        return cls
    if not set(missing) <= set(BACK):
        raise TraceError(f"{cls.__name__} does not define {', '.join(missing)}")
    return type(
        cls.__name__, (cls,), dict.fromkeys(missing, _not_written) | {"__module__": cls.__module__}
    )


def _not_written(*args: object) -> object:
    raise NotImplementedError


def _source(plugin: Plugin, name: str) -> Source:
    if isinstance(plugin, RecurrentCell):
        return cell_source(plugin, name=name, own=True)
    if isinstance(plugin, Layer):
        return layer_source(plugin, name)
    if isinstance(plugin, Activation):
        return activation_source(plugin)
    if isinstance(plugin, Loss):
        return loss_source(plugin)
    raise TraceError(
        f"{type(plugin).__name__} is {plugin.noun}: only cells, layers, activations and losses have a gradient"
    )


def _same(plugin: Plugin, name: str, found: Source) -> bool:
    try:
        other = _source(plugin, name)
    except RnnkitError:
        return False
    if isinstance(plugin, RecurrentCell) and isinstance(found, CellSource):
        return agrees(found, plugin)
    same = ("cache", "kept", "back", "line", "before", "keeping")
    return all(getattr(other, part) == getattr(found, part) for part in same)


def agrees(source: CellSource, cell: RecurrentCell[Any, Any, Any]) -> bool:
    """Whether the source of a cell is right for one with other options: its gradients are, for random numbers."""
    methods, made = compiled(source, type(cell).__name__), CellTrace(cell)
    rng = np.random.default_rng(0)
    at = made.draw({**ROWS[0], "N": 6}, rng)
    wanted = gradient(traced(cell))
    p, s = with_values(made.p, at, "p."), with_values(made.s, at, "s.")
    inputs = [name for name in ("zx", "zh", "x") if name in at]
    try:
        after, cache = methods.step(cell, p, *(at[name].copy() for name in inputs), s)
        d = {f"s.{name}": rng.standard_normal(np.shape(a)) for name, a in named_arrays(after)}
        *dx, before, dp = methods.step_back(cell, p, with_values(after, d, "s."), cache)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return False
    given = {**dict(zip(inputs, dx, strict=True)), **named("s.", before), **named("p.", dp)}
    right = wanted.evaluate(at, d)
    return all(
        np.shape(g) == np.shape(right[name]) and np.allclose(g, right[name], 1e-9, 1e-12)
        for name, g in given.items()
    )


def _forward(cls: type[Plugin]) -> str:
    if issubclass(cls, RecurrentCell):
        return "step"
    return "evaluate" if issubclass(cls, Loss) else "forward"


def _base(cls: type[Plugin]) -> str:
    if issubclass(cls, GatedStep | GatedCell):
        return "GatedCell"
    if issubclass(cls, RecurrentCell):
        return "Cell"
    return "Layer" if issubclass(cls, Layer) else ""


def _name_of_cache(cls: type[Plugin]) -> str:
    """The class that it names as that of its cache, if that is its module's own; else empty."""
    if issubclass(cls, GatedStep | FreeStep):
        return ""
    held: Iterator[Any] = (base for base in getattr(cls, "__orig_bases__", ()) if get_args(base))
    for base in held:
        last = get_args(base)[-1]
        if inspect.isclass(last) and attrs.has(last) and last.__module__ == cls.__module__:
            return str(last.__name__)
    return ""
