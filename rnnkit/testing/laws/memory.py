"""Whose memory is whose: caches, results, and the order that arrays lie in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing import names
from rnnkit.testing.example import Broken, Example, Leaves, equal_bits
from rnnkit.testing.laws.running import (
    close,
    run_backward,
    run_forward,
    same_bits,
    without_warnings,
)
from rnnkit.testing.randomness import shared_states


def elsewhere(example: Example) -> Leaves:
    """Other leaves of the same shapes."""
    return {name: 0.5 * a - 0.25 for name, a in example.leaves.items()}


def bits_repeat(example: Example, outputs: Leaves, cotangents: Leaves, gradients: Leaves) -> None:
    """The same inputs give the same bits."""
    again, cache = run_forward(example)
    for name, y in outputs.items():
        if not equal_bits(np.asarray(y), np.asarray(again[name])):
            raise Broken(
                "repeatable", f"forward gives another {name!r} for the same inputs", "forward"
            )
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
    kept = {name: a.copy() for name, a in names.arrays(example.named(cache))}
    drawn = shared_states()
    again = run_backward(example, cotangents, cache)
    changed = [
        name
        for name, a in names.arrays(example.named(cache))
        if name in kept and not equal_bits(a, kept[name])
    ]
    if changed:
        why = f"it changes {changed[0]!r}, and must leave the cache as it is"
    elif drawn != shared_states():
        why = "it draws random numbers; those that forward has drawn must be in the cache"
    else:
        why = (
            "its cache has not changed, so it draws random numbers or remembers something; what it needs "
            "must be in the cache"
        )
    same_bits(
        "stale cache",
        gradients,
        again,
        f"the gradient of {{}} changes when backward runs again: {why}",
    )
    run_forward(example, elsewhere(example))
    same_bits(
        "stale cache",
        gradients,
        run_backward(example, cotangents, cache),
        "the gradient of {} changes when forward runs on other inputs in between: "
        "what backward needs must be in the cache",
    )


def results_are_their_own(
    example: Example, cotangents: Leaves, copies: tuple[Leaves, Leaves], kept: tuple[Leaves, Leaves]
) -> None:
    """What forward and backward have returned keeps its values when they run on other inputs.

    Args:
        copies: of the outputs and the gradients, made when they were returned.
        kept: what was returned.
    """
    _, cache = run_forward(example, elsewhere(example))
    run_backward(example, {name: 0.5 * c + 0.25 for name, c in cotangents.items()}, cache)
    again = "changes when it runs again: return a new array each time"
    for what, copy, a in zip(
        ("output {} of forward", "backward's gradient of {}"), copies, kept, strict=True
    ):
        same_bits("results kept", copy, a, f"{what} {again}")


def memory_order_does_not_matter(
    example: Example, outputs: Leaves, cotangents: Leaves, gradients: Leaves
) -> None:
    """Arrays in Fortran order, and every other element of larger ones, give the same results."""
    for what, laid in LAYOUTS.items():
        leaves = {name: laid(a) for name, a in example.leaves.items()}
        given = {name: laid(np.asarray(c)) for name, c in cotangents.items()}

        def there_and_back(leaves: Leaves = leaves, given: Leaves = given) -> tuple[Leaves, Leaves]:
            y, cache = example.forward(leaves)
            return y, example.backward(leaves, given, cache)

        y, back = without_warnings(f"with {what} it", there_and_back)
        for kind, got, want in [("output", y, outputs), ("gradient of", back, gradients)]:
            for name, a in want.items():
                if np.shape(got[name]) != np.shape(a) or not close(got[name], a):
                    raise Broken("memory order", f"{kind} {name!r} is another with {what}")


def _strided(a: Array) -> Array:
    return np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a.copy()


LAYOUTS: Final[Mapping[str, Callable[[Array], Array]]] = {
    "arrays in Fortran order": lambda a: np.array(a, order="F"),
    "arrays that are every other element of larger ones": _strided,
}
