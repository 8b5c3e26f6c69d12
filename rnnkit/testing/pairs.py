"""Checking a bare pair of functions, as students write them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from rnnkit.testing.examine import examine
from rnnkit.testing.example import Example, Leaves, seeded
from rnnkit.testing.report import describe


def check(forward: Callable[..., Any], backward: Callable[..., Any], **arguments: Any) -> float:
    """Check that `backward` is the derivative of `forward`, and that both obey the laws.

        check(rnn_step_forward, rnn_step_backward, x=x, prev_h=h, Wx=Wx, Wh=Wh, b=b, use_tanh=False)

    Args:
        forward: called with the arguments by name; returns (output, cache), or (output, ..., cache).
        backward: called with a gradient for each output, the cache, and those of the other arguments that
            it has parameters for; returns the gradient of each array, in the order in which they are given
            here, or a dict by name. Arrays of integers have no gradient: leave it out, or return None.
        arguments: float arrays are differentiated; everything else is passed on.

    Returns:
        The largest relative error found.

    Raises:
        AssertionError: a gradient is wrong or a law is broken; the message says which leaf, where, by how
            much, and what the pattern may be.
    """
    arrays = {k: np.asarray(v) for k, v in arguments.items() if isinstance(v, np.ndarray)}
    leaves = {k: a.astype(np.float64) for k, a in arrays.items() if a.dtype.kind == "f"}
    others = {k: v for k, v in arguments.items() if k not in leaves}
    names = list(arrays)
    accepted = inspect.signature(backward).parameters
    passed_on = {k: v for k, v in others.items() if k in accepted and k not in arrays}

    def run(at: Leaves) -> tuple[Leaves, Any]:
        *outputs, cache = forward(**others, **at)
        return {_output(i, len(outputs)): y for i, y in enumerate(outputs)}, cache

    def run_back(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        returned = backward(*cotangents.values(), cache, **passed_on)
        return _by_name(returned, names, list(leaves))

    finding = examine(Example(leaves, run, run_back, single="skip"), seeded("pair", 0))
    if not finding.ok:
        what = getattr(backward, "__name__", "backward")
        raise AssertionError("\n".join([f"{what} is wrong", *describe(finding)]))
    return finding.error


def _output(index: int, count: int) -> str:
    return "out" if count == 1 else f"out{index}"


def _by_name(returned: Any, names: list[str], leaves: list[str]) -> dict[str, Any]:
    """Gradients by the name of their array, whichever way they were returned."""
    if isinstance(returned, dict):
        return {k: v for k, v in returned.items() if k in leaves}
    values = list(returned) if isinstance(returned, tuple | list) else [returned]
    for order in (names, leaves):
        if len(values) == len(order):
            return {k: v for k, v in zip(order, values, strict=True) if k in leaves}
    raise AssertionError(
        f"backward returns {len(values)} gradients, and there are {len(leaves)} float arrays: "
        f"{', '.join(leaves)}"
    )
