"""A computation as a graph: what was computed from what, with symbolic lengths where they depend on the rows."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from types import CodeType
from typing import Any

import attrs
import numpy as np

from rnnkit.tracing.operations import COMPUTED
from rnnkit.tracing.sizes import Power, Size, Sizes, at_sizes

WORKING = np.dtype(np.float64)
"""The type that plugins are traced in; it stands for whatever type the arrays have when the graph runs."""


@attrs.define(eq=False)
class Node:
    """One result of a computation.

    Attributes:
        op: a key of `operations.COMPUTED`; or "input" (attribute `name`), "constant" (attribute `value`: a Python
            number, whose type is weak, or an array) or "random" (attributes `method` and `arguments` of a
            generator).
        inputs: what it is computed from.
        attributes: whatever else the operation takes, such as `axis`; lengths that depend on the rows are a `Size`.
        shape: with a `Size` for each such length.
        values: at each of the sizes that the graph was traced at.
        number: those of its inputs are smaller; what is computed first has the smaller one.
        name: the variable that the author put it into; empty if none is known.
        place: `file:line` where the author computes it; empty if it does not come from there.
    """

    op: str
    inputs: tuple[Node, ...]
    attributes: Mapping[str, Any]
    shape: tuple[int | Size, ...]
    values: tuple[Any, ...]
    number: int
    name: str = ""
    place: str = ""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""
        return np.asarray(self.values[0]).dtype

    @property
    def weak(self) -> bool:
        """Whether it is a Python number, which takes the type of the arrays that it meets."""
        return (
            self.op == "constant"
            and isinstance(self.attributes["value"], bool | int | float | Size | Power)
            and not isinstance(self.attributes["value"], np.generic)
        )

    def __repr__(self) -> str:
        shape = ", ".join(map(str, self.shape))
        return f"<{self.op}{f' {self.name}' if self.name else ''} ({shape})>"


def in_order(ends: Iterable[Node], given: Container[Node] = ()) -> list[Node]:
    """All that these nodes are computed from and they themselves, in the order of their numbers.

    Args:
        ends: the nodes.
        given: those that need not be computed, nor what they are computed from.
    """
    found: set[Node] = set()
    todo = list(ends)
    while todo:
        node = todo.pop()
        if node not in found and node not in given:
            found.add(node)
            todo += node.inputs
    return sorted(found, key=lambda node: node.number)


@attrs.frozen(eq=False)
class Scope:
    """Where a function returned.

    Attributes:
        line: of its `return`, in its file.
        names: expressions that could be written there, as `tanh_c` or `s.c` -> what they are.
    """

    line: int
    names: Mapping[str, Node]


@attrs.frozen(eq=False)
class Graph:
    """What a function computes.

    Attributes:
        inputs: the arrays that it takes, by name, those that it does not use too.
        outputs: those that it returns, by name.
        examples: the sizes that it was traced at, by letter: `Node.values` holds them.
        scopes: what can be written where each function returned that was called, by its code.
    """

    inputs: Mapping[str, Node]
    outputs: Mapping[str, Node]
    examples: tuple[Sizes, ...]
    scopes: Mapping[CodeType, Scope] = attrs.field(factory=dict)

    @property
    def nodes(self) -> list[Node]:
        """All that the outputs are computed from, each after its inputs."""
        return in_order(self.outputs.values())

    def evaluate(self, arrays: Mapping[str, Any], rng: Any = None) -> dict[str, Any]:
        """The outputs for other inputs: of any number of rows, in float64, float32 or complex128.

        Args:
            arrays: by the names of the inputs.
            rng: the generator of random numbers, where the function draws some.
        """
        sizes: dict[str, int] = {}
        for name, node in self.inputs.items():
            bind(sizes, node.shape, np.shape(arrays[name]))
        working = working_type(arrays.values())
        known: dict[Node, Any] = {}
        with np.errstate(all="ignore"):
            for node in self.nodes:
                if node.op == "input":
                    known[node] = arrays[node.attributes["name"]]
                else:
                    inputs = [known[n] for n in node.inputs]
                    known[node] = compute(node.op, node.attributes, inputs, sizes, working, rng)
                bind(sizes, node.shape, np.shape(known[node]))
        return {name: known[node] for name, node in self.outputs.items()}


def compute(
    op: str,
    attributes: Mapping[str, Any],
    inputs: Sequence[Any],
    sizes: Sizes,
    working: np.dtype[Any] = WORKING,
    rng: Any = None,
) -> Any:
    """The result of one operation.

    Args:
        op: which.
        attributes: its own.
        inputs: the arrays it takes.
        sizes: what lengths are.
        working: the type of what was traced in float64.
        rng: the generator to draw from.
    """
    given = {key: _typed(at_sizes(value, sizes), working) for key, value in attributes.items()}
    if op == "constant":
        return given["value"]
    if op == "random":
        drawn = getattr(rng, given["method"])(*given["arguments"], **dict(given["keywords"]))
        return drawn.astype(working) if drawn.dtype == WORKING else drawn
    return COMPUTED[op](*inputs, **given)


def _typed(value: Any, working: np.dtype[Any]) -> Any:
    if isinstance(value, np.dtype) and value == WORKING:
        return working
    if isinstance(value, np.ndarray | np.generic) and value.dtype == WORKING:
        return value.astype(working)
    return value


def working_type(arrays: Iterable[Any]) -> np.dtype[Any]:
    """The floating type that arrays have together; float64 if none has one."""
    kinds = [a.dtype for a in map(np.asarray, arrays) if a.dtype.kind in "fc"]
    return np.result_type(*kinds) if kinds else WORKING


def bind(sizes: dict[str, int], shape: Sequence[int | Size], actual: Sequence[int]) -> None:
    """Learn from an array's shape what the letters in it are."""
    for want, got in zip(shape, actual, strict=True):
        if isinstance(want, Size):
            unknown = [(letter, factor) for letter, factor in want.terms if letter not in sizes]
            if len(unknown) == 1:
                ((letter, factor),) = unknown
                rest = got - want.at({**sizes, letter: 0})
                sizes[letter] = int(rest / factor)
