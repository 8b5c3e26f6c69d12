"""Why values may be wrong: they are what the solution computes from changed arguments, or with another nonlinearity."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.pairs import GATES

_SAME: Final = 1e-9
_MOST: Final = 60
"""Changes that are tried at most."""


def explained(
    got: Sequence[Array],
    solve: Callable[[Mapping[str, Any]], Sequence[Array]],
    arguments: Mapping[str, Any],
) -> str:
    """The change of the arguments with which the solution computes these outputs; nothing if there is none.

    Args:
        got: the outputs that are wrong.
        solve: from arguments to right outputs.
        arguments: that the outputs are of.
    """
    for why, changed in itertools.islice(_changes(arguments), _MOST):
        try:
            outputs = solve({**arguments, **changed})
        except Exception:  # it need not be able to compute with them
            continue
        if len(outputs) == len(got) and all(map(same, got, outputs)):
            return why
    return ""


def same(a: Array, b: Array) -> bool:
    """Whether two arrays are equal but for rounding."""
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=_SAME, atol=_SAME)


def other_function(given: Array, wanted: Array) -> str:
    """Whether one nonlinearity stands where another belongs."""
    if not given.size or np.max(np.abs(wanted)) >= 1.0:
        return ""
    with np.errstate(all="ignore"):
        if same(given, 1.0 / (1.0 + np.exp(-np.arctanh(wanted)))):
            return "the sigmoid stands where tanh belongs"
        if np.min(wanted) > 0.0 and same(given, np.tanh(np.log(wanted / (1.0 - wanted)))):
            return "tanh stands where the sigmoid belongs"
        for name, back in (
            ("tanh", np.arctanh(wanted)),
            ("the sigmoid", -np.log(1.0 / wanted - 1)),
        ):
            if same(given, back):
                return f"{name} is missing"
    return ""


def in_time(given: Array, wanted: Array) -> str:
    """What is wrong along the axis of time, which is the second of three."""
    if given.ndim != 3 or given.shape[1] < 3:
        return ""
    steps = range(given.shape[1])
    right = [same(given[:, t], wanted[:, t]) for t in steps]
    if same(given[:, :-1], wanted[:, 1:]) or same(given[:, 1:], wanted[:, :-1]):
        return "it is shifted by one in time"
    if same(given, wanted[:, ::-1]):
        return "it is backwards in time"
    empty = [t for t in steps if not right[t] and not given[:, t].any()]
    if empty and all(right[t] or t in empty for t in steps):
        return f"it is 0 at step {', '.join(map(str, empty))}: that step is left out"
    if right[0] and not any(right[1:]):
        return "it is right at step 0 alone: what goes from a step to the next is wrong or missing"
    return ""


def _changes(arguments: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, a in arguments.items():
        if isinstance(a, bool):
            yield f"it is what comes out with {name}={not a}", {name: not a}
        elif isinstance(a, np.ndarray):
            yield from ((why, {name: changed}) for why, changed in _changed(name, a))
    yield from _gates(arguments)
    pairs = itertools.combinations(
        [k for k, a in arguments.items() if isinstance(a, np.ndarray)], 2
    )
    for one, two in pairs:
        if arguments[one].shape == arguments[two].shape and arguments[one].dtype.kind == "f":
            yield (
                f"{one} and {two} are exchanged",
                {one: arguments[two], two: arguments[one]},
            )


def _changed(name: str, a: Array) -> Iterator[tuple[str, Any]]:
    if a.dtype.kind == "b":
        yield f"{name} is not used", np.ones_like(a)
        yield f"{name} is the wrong way round", np.logical_not(a)
    elif a.dtype.kind == "f":
        yield f"{name} is not used", np.zeros_like(a)
        yield f"{name} counts twice", 2.0 * a
        yield f"the sign of {name} is wrong", -a
    if a.ndim == 2 and a.shape[0] == a.shape[1]:
        yield f"{name} is transposed where it must not be", a.T
    if a.ndim == 3 or a.dtype.kind == "i":
        for by, which in ((1, "before"), (-1, "after")):
            yield (
                f"each step sees the {name} of the one {which}",
                np.roll(a, by, axis=-2 if a.ndim == 3 else -1),
            )
        yield f"{name} is read backwards in time", a[:, ::-1] if a.ndim > 1 else a[::-1]
    if a.dtype.kind == "i":
        yield f"{name} is too small by one", a - 1
        yield f"{name} is too large by one", a + 1


def _gates(arguments: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Gates in another order, where there are four times as many columns as Wh has rows."""
    Wh = arguments.get("Wh")
    if not isinstance(Wh, np.ndarray) or Wh.ndim != 2 or Wh.shape[1] != len(GATES) * Wh.shape[0]:
        return
    wide = {
        k: a
        for k, a in arguments.items()
        if isinstance(a, np.ndarray) and a.shape[-1:] == Wh.shape[1:]
    }
    for order in itertools.permutations(range(len(GATES))):
        if order != (0, 1, 2, 3):
            named = ", ".join(GATES[order.index(k)] for k in range(len(GATES)))
            yield (
                f"the gates stand in the order {named}",
                {
                    k: np.concatenate([np.split(a, 4, -1)[j] for j in order], -1)
                    for k, a in wide.items()
                },
            )
