"""What a pair of functions is checked at: each way to set its switches, and a second set of lengths."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from rnnkit.errors import CourseError, quoted
from rnnkit.kinds import Rng
from rnnkit.system.limits import MOST_ELEMENTS
from rnnkit.testing.example import seeded
from rnnkit.testing.functions.arguments import Arguments, flags, make
from rnnkit.testing.functions.finding import Function


@attrs.frozen
class Setting:
    """Arguments to call a function with.

    Attributes:
        label: what is special about them; empty if nothing is.
        arguments: parameter -> value.
    """

    label: str
    arguments: Mapping[str, Any]


def settings(
    function: Function,
    table: Arguments,
    seed: int,
    options: Mapping[str, Sequence[Any]] | None = None,
) -> Iterator[Setting]:
    """The settings of a function, the usual one first.

    Args:
        function: whose parameters are given.
        table: how arguments are made.
        seed: of all random numbers.
        options: values for some parameters; what is switched on and off by default if left open.

    Raises:
        CourseError: an argument cannot be made.
    """
    recipes, sizes = table.recipes(function), table.sizes_for(function)
    ways = flags(function, list(recipes)) if options is None else _product(options)
    larger = {letter: n + 1 for letter, n in sizes.items()}
    for lengths, way in [*((sizes, way) for way in ways), (larger, ways[0])]:
        label = "other lengths" if lengths is larger else ""
        if way is not ways[0]:
            changed = [f"{k}={v!r}" for k, v in way.items() if v != ways[0][k]]
            label = ", ".join(changed)
        drawn: Rng = seeded(f"{function.__name__}/{label}", seed)
        made = {
            name: make(f"{name} of {function.__name__}", recipe, lengths, drawn)
            for name, recipe in recipes.items()
        }
        yield Setting(label, {**made, **way})


def printed(recipes: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of numbers that were printed somewhere: ramps, or drawn from NumPy's older generator.

    Args:
        recipes: parameter -> recipe; `seed` is of the generator, and `skip` what was drawn from it before.

    Raises:
        CourseError: an argument cannot be made.
    """
    seed, skip = recipes.get("seed", 0), recipes.get("skip", 0)
    if not all(type(n) is int and 0 <= n < 2**32 for n in (seed, skip)) or skip > MOST_ELEMENTS:
        raise CourseError(
            f"seed {quoted(seed)} and skip {quoted(skip)} must be whole numbers from 0"
        )
    rng = np.random.RandomState(seed)
    rng.standard_normal(skip)
    return {k: make(k, v, {}, rng) for k, v in recipes.items() if k not in ("seed", "skip")}


def _product(options: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [
        dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())
    ]
