"""What layers and cells begin with: parameters and states of the type that is asked for, from `rng` alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from rnnkit.kinds import (
    Cell,
    DType,
    FreeStep,
    GatedCell,
    GatedStep,
    Layer,
    RecurrentCell,
    Rng,
    named_arrays,
)
from rnnkit.testing.contracts.contract import Contract
from rnnkit.testing.example import Broken, equal_bits

WIDTHS = range(4, 65)
Make = Callable[[Rng, DType], Any]
"""Makes parameters."""


def made_contracts(
    plugin: Layer[Any, Any, Any] | RecurrentCell[Any, Any, Any],
) -> Iterator[Contract]:
    """The contract of what a layer or a cell begins with."""
    yield Contract("begins", partial(_begins, plugin))


def _begins(plugin: Layer[Any, Any, Any] | RecurrentCell[Any, Any, Any], rng: Rng) -> None:
    for width in WIDTHS:
        try:
            made = _made(plugin, width, rng, np.dtype(np.float32))
        except ValueError:
            continue  # a width that is refused; that some is not, its cases see to
        _are_single(plugin, width, made)
        _are_new(plugin, width, rng)
        return


def _made(plugin: Any, width: int, rng: Rng, dtype: DType) -> dict[str, Any]:
    """Every array that the plugin begins with, by name."""
    match plugin:
        case Layer():
            fitted = plugin.fit(3)
            fitted.out_features(width)
            return dict(named_arrays(fitted.init(width, rng, dtype)))
        case GatedCell() | GatedStep():
            params = plugin.init(width, rng, dtype)
        case Cell() | FreeStep():
            params = plugin.init(3, width, rng, dtype)
        case _:
            raise TypeError(f"neither a layer nor a cell: {plugin!r}")
    h0 = np.full((2, plugin.start_width(width)), 0.5, dtype)
    state = {f"slot {name!r} of start": a for name, a in named_arrays(plugin.start(h0))}
    return {f"parameter {name!r} of init": a for name, a in named_arrays(params)} | state


def _are_single(plugin: Any, width: int, made: dict[str, Any]) -> None:
    for name, a in made.items():
        if getattr(a, "dtype", None) != np.float32:
            got = getattr(a, "dtype", type(a).__name__)
            raise Broken(
                "types",
                f"{name} is {got} where float32 is asked for: one such array makes a whole network of "
                "float32 compute in another type",
            )


def _are_new(plugin: Any, width: int, rng: Rng) -> None:
    dtype: DType = np.dtype(np.float64)
    one, other = (_made(plugin, width, copy.deepcopy(rng), dtype) for _ in range(2))
    for name, a in one.items():
        if not equal_bits(a, other[name]):
            raise Broken(
                "repeatable",
                f"{name} has other numbers for a generator in the same state: `rng` must be the only "
                "source of randomness",
            )
        if np.shares_memory(a, other[name]):
            raise Broken("arrays", f"{name} is the same array each time: make a new one")
