"""Checking a bare pair of functions, as students write them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.errors import quoted
from rnnkit.kinds import Array, Rng
from rnnkit.testing import names
from rnnkit.testing.answers import answered
from rnnkit.testing.examine import examine
from rnnkit.testing.example import (
    Broken,
    Example,
    Leaves,
    Pass,
    Traceable,
    copied,
    equal_bits,
    seeded,
)
from rnnkit.testing.raised import in_words
from rnnkit.testing.report import describe
from rnnkit.tracing import Graph, Sizes, trace

GATED = re.compile(r"([wu]|b$|bias)", re.IGNORECASE)
"""Names of weights and biases, whose columns may be those of gates."""
GATES: Final = ("i", "f", "o", "g")
"""Those of an LSTM, in the order of the assignment."""


def check(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    *,
    gates: Any = GATES,
    answers: Any = True,
    **arguments: Any,
) -> float:
    """Check that `backward` is the derivative of `forward`, and that both obey the laws.

        check(rnn_step_forward, rnn_step_backward, x=x, prev_h=h, Wx=Wx, Wh=Wh, b=b, use_tanh=False)
        check(temporal_softmax_loss, x=scores, y=targets, mask=mask)

    If differences must judge, as where `forward` fills an array of zeros, one printed line says so.

    Args:
        forward: called with the arguments by name; returns (output, cache), or (output, ..., cache).
        backward: called with a gradient for each output, the cache, and those of the other arguments that
            it has parameters for; returns the gradient of each array, in the order in which they are given
            here, or a dict by name. Arrays of integers have no gradient: leave it out, or return None.
            Without it, `forward` is a loss that returns (loss, gradients).
        gates: names of the column blocks, in their order, of weights (W.., U.., b) that are as many times as wide as
            the outputs.
        answers: whether to say what a wrong gradient should be.
        arguments: float arrays are differentiated; everything else is passed on.

    Returns:
        The largest relative error found, at least one rounding.

    Raises:
        AssertionError: a gradient is wrong or a law is broken; the message says which leaf, where, by how
            much, and what the pattern may be.
    """
    pair = Pair(forward, backward or scaled, arguments)
    found = examine(pair.example(gates), seeded("pair", 0))
    finding = found.explained()
    if not finding.ok:
        finding = answered(finding, found.diagnosis) if answers else finding
        at_fault = forward if finding.blame == "forward" or backward is None else backward
        what = getattr(at_fault, "__name__", finding.blame)
        raise AssertionError("\n".join([f"{what} is wrong", *describe(finding)]))
    if finding.note:
        print(f"note: {finding.note}")
    return max(finding.error, float(np.finfo(float).eps))


def scaled(dloss: Array, gradients: Any) -> Any:
    """The backward pass of a loss that has computed its gradients already; they keep their type."""
    factor = float(dloss)
    if isinstance(gradients, dict):
        return {k: factor * g for k, g in gradients.items()}
    if isinstance(gradients, tuple | list):
        return tuple(factor * g for g in gradients)
    return factor * gradients


@attrs.frozen
class Kept:
    """A cache, and every array that backward could change through it."""

    cache: Any
    arrays: Mapping[str, Array]


@attrs.frozen
class Pair:
    """Two functions and the arguments to check them with."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    arguments: Mapping[str, Any]

    @property
    def arrays(self) -> dict[str, Array]:
        """Arguments that are arrays, of whatever type."""
        return {k: v for k, v in self.arguments.items() if isinstance(v, np.ndarray)}

    @property
    def leaves(self) -> dict[str, Array]:
        """Those that have a gradient."""
        return {k: a.astype(np.float64) for k, a in self.arrays.items() if a.dtype.kind == "f"}

    def example(self, gates: Sequence[str]) -> Example:
        """The pair as the harness sees it."""
        plain = Example(
            self.leaves,
            self.run,
            self.run_back,
            named=lambda kept: names.in_cache(self.backward, kept.cache),
            single="skip",
        )
        try:
            outputs, _ = self.run(copied(self.leaves))
        except Exception:
            return plain  # what is wrong with it is for the examination to say
        width = max((np.shape(y)[-1] for y in outputs.values() if np.ndim(y)), default=0)
        gated = [
            name
            for name, a in self.leaves.items()
            if GATED.match(name) and a.ndim and a.shape[-1] == width * len(gates)
        ]
        return attrs.evolve(
            plain,
            gates=dict.fromkeys(gated, tuple(gates)),
            traceable=Traceable(
                partial(self.graph, tuple(outputs)),
                {k: a for k, a in self.arrays.items() if k not in self.leaves},
                called=dict(
                    zip(outputs, inspect.signature(self.backward).parameters, strict=False)
                ),
                ones=self.backward is scaled,
                letters={"N": "N"},
                function=self.forward,
            ),
        )

    def run(self, at: Leaves) -> tuple[Leaves, Kept]:
        """The forward pass; its outputs by the names that it gives them."""
        others = {
            k: v.copy() if isinstance(v, np.ndarray) else v
            for k, v in self.arguments.items()
            if k not in at
        }
        returned = _called("forward", self.forward, **others, **at)
        if not isinstance(returned, tuple | list) or len(returned) < 2:
            kind = type(returned).__name__
            raise Broken(
                "returns",
                f"forward returns one {kind} alone: it must return its output and its cache",
                "forward",
            )
        for name, a in others.items():
            if isinstance(a, np.ndarray) and not equal_bits(a, self.arguments[name]):
                raise Broken(
                    "inputs unchanged", f"forward changes its input {name!r} in place", "forward"
                )
        *values, cache = returned
        outputs = dict(zip(names.outputs_of(self.forward, len(values)), values, strict=True))
        _written("forward", [name for name, y in outputs.items() if y is None])
        held = dict(names.arrays(names.in_cache(self.backward, cache))) | dict(at)
        return (
            {name: np.asarray(y) for name, y in outputs.items()},
            Kept(cache, held),
        )

    def graph(self, outputs: Sequence[str]) -> Graph:
        """What forward computes; the length of the first axis is free, if it can be.

        Raises:
            Exception: it cannot be traced, for whatever reason.
        """

        def run(at: Mapping[str, Any], rng: Rng) -> Mapping[str, Any]:
            # In one expression: what stands in for an array is named after the variables that hold it.
            return dict(zip(outputs, self.forward(**{**self.arguments, **at})[:-1], strict=True))

        rows = next((len(a) for a in self.leaves.values() if a.ndim), 1)
        draw = partial(self._drawn, rows)
        try:
            return trace(run, draw, ({"N": rows}, {"N": rows + 1}))
        except Exception:  # it depends on this length, or another array has it by chance
            return trace(run, draw, ({"N": rows}, {"N": rows}))

    def _drawn(self, rows: int, sizes: Sizes, rng: Rng) -> dict[str, Array]:
        """Arrays near those that were given, the rows of the first axis repeated to have as many as wanted."""
        drawn = {}
        for k, a in (self.arrays | self.leaves).items():
            if a.ndim and len(a) == rows:
                a = np.resize(a, (sizes["N"], *a.shape[1:]))
            near = 1.0 + 0.1 * rng.standard_normal(a.shape)
            drawn[k] = a * near if a.dtype.kind == "f" else a
        return drawn

    def run_back(self, at: Leaves, cotangents: Leaves, kept: Kept) -> Leaves:
        """The backward pass; its gradients by the names of their leaves."""
        accepted = inspect.signature(self.backward).parameters
        passed_on = {
            k: v for k, v in self.arguments.items() if k in accepted and k not in self.arrays
        }
        before = copied(kept.arrays)
        returned = _called(
            "backward", self.backward, *cotangents.values(), _fresh(kept.cache), **passed_on
        )
        for name, a in kept.arrays.items():
            if not equal_bits(a, before[name]):
                raise Broken(
                    "inputs unchanged",
                    f"backward changes {name!r}, which it has from the cache, in place",
                )
        return self._by_name(returned)

    def _by_name(self, returned: Any) -> Leaves:
        """Gradients by the name of their array, whichever way they were returned."""
        leaves = list(self.leaves)
        given: dict[str, Any] | None = None
        if isinstance(returned, dict):
            given = {k: v for k, v in returned.items() if k in leaves}
        else:
            values = list(returned) if isinstance(returned, tuple | list) else [returned]
            for order in (list(self.arrays), leaves):
                if given is None and len(values) == len(order):
                    given = {k: v for k, v in zip(order, values, strict=True) if k in leaves}
            if given is None:
                raise Broken(
                    "returns",
                    f"backward returns {len(values)} gradients, but there are {len(leaves)} float "
                    f"arrays: {', '.join(leaves)}",
                )
        _written("backward", [f"d{k}" for k, g in given.items() if g is None])
        return {k: _of_numbers(k, g) for k, g in given.items()}


def _called(which: Pass, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What a function returns.

    Raises:
        Broken: it has not been written yet.
    """
    try:
        returned = function(*given, **named)
    except NotImplementedError as e:
        raise Broken("written", f"{which} is not written yet: {in_words(e)}", which) from e
    if returned is None:
        told = f"{which} returns None: it is not written yet, or its return statement is missing"
        raise Broken("written", told, which)
    return returned


def _written(which: Pass, empty: Sequence[str]) -> None:
    """Raise if something that must be an array is None."""
    if empty:
        told = f"{which} returns None as {', '.join(empty)}: that is not written yet"
        raise Broken("written", told, which)


def _of_numbers(name: str, gradient: Any) -> Array:
    """A gradient as an array.

    Raises:
        Broken: it is none, but a generator or the like.
    """
    array = np.asarray(gradient)
    if array.dtype.kind not in "biufc":
        raise Broken(
            "returns", f"the gradient of {name!r} is {quoted(gradient)}, not an array of numbers"
        )
    return array


def _fresh(cache: Any) -> Any:
    """The same arrays in lists and dicts of their own: backward may take them out of these one by one."""
    if isinstance(cache, list):
        return [_fresh(item) for item in cache]
    if isinstance(cache, dict):
        return {key: _fresh(item) for key, item in cache.items()}
    return tuple(_fresh(item) for item in cache) if type(cache) is tuple else cache
