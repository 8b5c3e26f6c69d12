"""Running both passes as every law wants them run: on fresh copies, without a warning, inputs unchanged."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from rnnkit.errors import MissingPackage, place_of
from rnnkit.kinds import Array
from rnnkit.testing.example import Broken, Example, Leaves, Pass, copied, equal_bits
from rnnkit.testing.raised import raising

R = TypeVar("R")


def run_forward(example: Example, leaves: Leaves | None = None) -> tuple[Leaves, Any]:
    """The forward pass on fresh copies; a warning is a broken law."""
    given = copied(example.leaves if leaves is None else leaves)
    kept = copied(given)
    outputs, cache = without_warnings("forward", lambda: example.forward(given), "forward")
    for name, a in given.items():
        if name not in example.scratch and not equal_bits(a, kept[name]):
            raise Broken(
                "inputs unchanged", f"forward changes its input {name!r} in place", "forward"
            )
    return outputs, cache


def run_backward(example: Example, cotangents: Leaves, cache: Any) -> Leaves:
    """The backward pass on fresh copies of the cotangents."""
    leaves, given = copied(example.leaves), copied(cotangents)
    gradients = without_warnings("backward", lambda: example.backward(leaves, given, cache))
    for name, a in given.items():
        if not equal_bits(a, cotangents[name]):
            raise Broken("inputs unchanged", f"backward changes the gradient {name!r} it is given")
    for name, a in leaves.items():
        if not equal_bits(a, example.leaves[name]):
            raise Broken("inputs unchanged", f"backward changes {name!r} in place")
    return gradients


def without_warnings(what: str, run: Callable[[], R], blame: Pass = "backward") -> R:
    """What `run` returns; a warning and an exception are broken laws."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return run()
        except (Broken, MissingPackage):
            raise
        except Warning as e:
            raise Broken("no warnings", f"{what} warns: {e} {place_of(e)}", blame) from e
        except Exception as e:
            raise Broken("runs", raising(what, e), blame) from e


def same_bits(law: str, a: Leaves, b: Leaves, sentence: str) -> None:
    """Two sets of arrays are equal to the bit."""
    for name, value in a.items():
        if not equal_bits(np.asarray(value), np.asarray(b[name])):
            raise Broken(law, sentence.format(repr(name)))


def close(a: Array, b: Array) -> bool:
    """Equal but for rounding: a product may add up its terms in another order."""
    scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
    return bool(np.all(np.abs(a - b) <= 1e-12 * scale))
