"""float32 in, float32 out, and the numbers of float64 as far as it reaches."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from rnnkit.kinds import Array, Rng
from rnnkit.testing.example import Broken, Example, Leaves, copied
from rnnkit.testing.laws.arrays import arrays_are_of
from rnnkit.testing.laws.running import without_warnings
from rnnkit.testing.tolerances import ROUNDED, SINGLE

LARGEST = float(np.finfo(np.float32).max)
RATIO = float(np.finfo(np.float32).eps / np.finfo(np.float64).eps)
NUDGES = 8
"""How often inputs are moved in their last place, if float32 is off."""


def single_precision(
    example: Example, outputs: Leaves, cotangents: Leaves, gradients: Leaves, rng: Rng
) -> None:
    """float32 gives what float64 gives for the same rounded inputs.

    What is ill-conditioned may be off as far as inputs that are rounded another way move it.
    """
    leaves = {name: a.astype(np.float32) for name, a in example.leaves.items()}
    given = {name: np.asarray(c, np.float32) for name, c in cotangents.items()}

    def in_single() -> Leaves:
        return _results(example, leaves, given)

    if example.single == "types":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = in_single()
    else:
        got = without_warnings("in float32 it", in_single)
    wanted = _named(outputs, gradients)
    arrays_are_of(np.float32, got)
    for name, a in got.items():
        if not np.isfinite(a[np.abs(wanted[name]) < LARGEST]).all():
            raise Broken("float32", f"{name} is not finite in float32, and in float64 it would fit")
    if example.single == "types":
        return
    sizes = [*example.leaves.values(), *wanted.values()]
    # On the way there are numbers about 1, as in 1 - h^2, however small the results are.
    allowed = SINGLE * max(float(np.max(np.abs(a), initial=1.0)) for a in sizes)
    exact = _results(example, *_wide(leaves, given))
    for name, w in exact.items():
        off = float(np.max(np.abs(got[name] - w), initial=0.0))
        if off > allowed and off > ROUNDED * _unrest(example, leaves, given, name, w, rng):
            raise Broken("float32", f"{name} is off by {off:.2g} in float32")


def _named(outputs: Leaves, gradients: Leaves) -> dict[str, Array]:
    return {
        **{f"output {name!r}": np.asarray(y) for name, y in outputs.items()},
        **{f"gradient of {name!r}": np.asarray(g) for name, g in gradients.items()},
    }


def _results(example: Example, leaves: Leaves, cotangents: Leaves) -> dict[str, Array]:
    y, cache = example.forward(copied(leaves))
    kept = {name: np.array(a) for name, a in y.items()}
    return _named(kept, example.backward(copied(leaves), copied(cotangents), cache))


def _wide(*arrays: Leaves) -> Iterator[Leaves]:
    for some in arrays:
        yield {name: a.astype(np.float64) for name, a in some.items()}


def _unrest(
    example: Example, leaves: Leaves, cotangents: Leaves, name: str, exact: Array, rng: Rng
) -> float:
    """How far rounding moves a result: that of the inputs to float32, and that on the way.

    The latter shows when inputs of float64 move in their last place: what results then move by is to float64 as the
    error of float32 is to it (Vignes, "A stochastic arithmetic for reliable scientific computation", 1993).
    """
    wide, given = _wide(leaves, cotangents)

    def moved(places: Leaves) -> Array:
        at = {k: a + places[k] * rng.uniform(-1.0, 1.0, a.shape) for k, a in wide.items()}
        return _results(example, at, given)[name]

    def farthest(places: Leaves) -> float:
        found = np.array([moved(places) for _ in range(NUDGES)])
        return float(np.max(np.abs(found - exact), initial=0.0))

    last = {k: 2.0 * np.spacing(a) for k, a in wide.items()}
    return max(farthest({k: np.spacing(a) for k, a in leaves.items()}), RATIO * farthest(last))
