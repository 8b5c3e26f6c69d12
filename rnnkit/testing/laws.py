"""What must hold of a forward and a backward pass beside the gradient itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from rnnkit.errors import place_of
from rnnkit.kinds import Array
from rnnkit.testing.example import Broken, Example, Leaves, copied, equal_bits
from rnnkit.testing.raised import in_words
from rnnkit.testing.tolerances import SINGLE

R = TypeVar("R")


def run_forward(example: Example, leaves: Leaves | None = None) -> tuple[Leaves, Any]:
    """The forward pass on fresh copies; a warning is a broken law."""
    given = copied(example.leaves if leaves is None else leaves)
    kept = copied(given)
    outputs, cache = _without_warnings("forward", lambda: example.forward(given))
    for name, a in given.items():
        if name not in example.scratch and not equal_bits(a, kept[name]):
            raise Broken("inputs unchanged", f"forward changes its input {name!r} in place")
    return outputs, cache


def run_backward(example: Example, cotangents: Leaves, cache: Any) -> Leaves:
    """The backward pass on fresh copies of the cotangents."""
    leaves, given = copied(example.leaves), copied(cotangents)
    gradients = _without_warnings("backward", lambda: example.backward(leaves, given, cache))
    for name, a in given.items():
        if not equal_bits(a, cotangents[name]):
            raise Broken("inputs unchanged", f"backward changes the gradient {name!r} it is given")
    for name, a in leaves.items():
        if not equal_bits(a, example.leaves[name]):
            raise Broken("inputs unchanged", f"backward changes {name!r} in place")
    return gradients


def _without_warnings(what: str, run: Callable[[], R]) -> R:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return run()
        except Warning as e:
            raise Broken("no warnings", f"{what} warns: {e} {place_of(e)}") from e
        except Exception as e:
            raise Broken("runs", f"{what} raises {in_words(e)}") from e


def arrays_are_whole(what: str, arrays: Leaves, dtype: type = np.float64) -> None:
    """Every array is finite and of the type that went in."""
    for name, a in arrays.items():
        if not isinstance(a, np.ndarray | np.generic) or a.dtype != dtype:
            got = getattr(a, "dtype", type(a).__name__)
            raise Broken("types", f"{what} {name!r} is {got} where {np.dtype(dtype)} went in")
        if not np.isfinite(a).all():
            raise Broken("finite", f"{what} {name!r} has values that are not finite")


def gradients_fit_leaves(example: Example, gradients: Leaves) -> None:
    """One gradient for each leaf, of its shape."""
    for name, leaf in example.leaves.items():
        got = gradients.get(name)
        if got is None:
            raise Broken("shapes", f"there is no gradient of {name!r}")
        if np.shape(got) != leaf.shape:
            raise Broken("shapes", f"the gradient of {name!r} {_shapes(np.shape(got), leaf.shape)}")


def _shapes(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    hint = ""
    if len(got) > len(want) and got[len(got) - len(want) :] == want:
        hint = ": a sum over the leading axis is missing (the leaf was broadcast over it)"
    elif got == want[::-1]:
        hint = ": it is transposed"
    elif len(got) < len(want):
        hint = ": there is a sum too many"
    return f"has shape {got}, not {want}{hint}"


def bits_repeat(example: Example, outputs: Leaves, cotangents: Leaves, gradients: Leaves) -> None:
    """The same inputs give the same bits."""
    again, cache = run_forward(example)
    for name, y in outputs.items():
        if not equal_bits(np.asarray(y), np.asarray(again[name])):
            raise Broken("repeatable", f"forward gives another {name!r} for the same inputs")
    same_bits(
        "repeatable",
        gradients,
        run_backward(example, cotangents, cache),
        "backward gives another gradient of {} for the same inputs",
    )


def caches_are_their_own(
    example: Example, cache: Any, cotangents: Leaves, gradients: Leaves
) -> None:
    """What forward keeps for backward is in its cache: another forward or backward does not disturb it."""
    same_bits(
        "stale cache",
        gradients,
        run_backward(example, cotangents, cache),
        "the gradient of {} changes when backward runs again: it must leave the cache as it is",
    )
    run_forward(example, {name: 0.5 * a - 0.25 for name, a in example.leaves.items()})
    same_bits(
        "stale cache",
        gradients,
        run_backward(example, cotangents, cache),
        "the gradient of {} changes when forward runs on other inputs in between: "
        "what backward needs must be in the cache",
    )


def zero_gives_zero(example: Example, cache: Any, cotangents: Leaves) -> None:
    """Backward is linear: no cotangent, no gradient."""
    zeros = {name: np.zeros_like(c) for name, c in cotangents.items()}
    for name, g in run_backward(example, zeros, cache).items():
        if np.any(g):
            raise Broken("zero cotangent", f"the gradient of {name!r} is not 0 for cotangents of 0")


def same_bits(law: str, a: Leaves, b: Leaves, sentence: str) -> None:
    """Two sets of arrays are equal to the bit."""
    for name, value in a.items():
        if not equal_bits(np.asarray(value), np.asarray(b[name])):
            raise Broken(law, sentence.format(repr(name)))


def single_precision(
    example: Example, outputs: Leaves, cotangents: Leaves, gradients: Leaves
) -> None:
    """float32 in, float32 out, and the same numbers as float64 as far as it reaches."""
    leaves = {name: a.astype(np.float32) for name, a in example.leaves.items()}
    y, cache = _without_warnings("forward in float32", lambda: example.forward(copied(leaves)))
    arrays_are_whole("output", y, np.float32)
    cot = {name: np.asarray(c, np.float32) for name, c in cotangents.items()}
    dx = _without_warnings("backward in float32", lambda: example.backward(leaves, cot, cache))
    arrays_are_whole("gradient of", dx, np.float32)
    if example.single == "types":
        return
    arrays = (*example.leaves.values(), *outputs.values(), *gradients.values())
    overall = max(float(np.max(np.abs(a), initial=0.0)) for a in arrays)
    for what, got, want in [("output", y, outputs), ("gradient of", dx, gradients)]:
        for name, w in want.items():
            off = float(np.max(np.abs(got[name] - w), initial=0.0))
            if off > SINGLE * overall:
                raise Broken("float32", f"{what} {name!r} is off by {off:.2g} in float32")


def rows_are_independent(example: Example, outputs: Leaves) -> None:
    """A row computed alone is the row computed among others."""
    count = len(next(example.leaves[name] for name in example.rows))
    for row in range(count if count > 1 else 0):
        alone = {
            name: a[row : row + 1] if name in example.rows else a
            for name, a in example.leaves.items()
        }
        got, _ = example.forward(copied(alone))
        for name, y in outputs.items():
            if not close(got[name][0], y[row]):
                raise Broken(
                    "rows independent",
                    f"row {row} of {name!r} depends on the other rows of the batch",
                )


def close(a: Array, b: Array) -> bool:
    """Equal but for rounding: a product may add up its terms in another order."""
    scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
    return bool(np.all(np.abs(a - b) <= 1e-12 * scale))
