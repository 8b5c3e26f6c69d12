"""Runs a function on stand-ins and keeps what it computed as a graph, which must compute the same."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from rnnkit.errors import TraceError
from rnnkit.tracing.building import Builder
from rnnkit.tracing.functions import FUNCTIONS
from rnnkit.tracing.graph import Graph, Node, Scope
from rnnkit.tracing.recording import Recorder
from rnnkit.tracing.sizes import Sizes
from rnnkit.tracing.standin import StandIn

Function: TypeAlias = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]
"""(arrays by name, generator) -> arrays by name."""

Draw: TypeAlias = Callable[[Sizes, np.random.Generator], Mapping[str, Any]]
"""(lengths by letter, generator) -> the arrays of an example."""

ROWS: Final = ({"N": 3}, {"N": 4})
"""The batch sizes that are looked at, where nothing else is wanted."""

SAME: Final = 1e-12
"""How far a graph may be from what was traced, relative to the largest number of an output: sums in another order."""


def trace(function: Function, draw: Draw, sizes: Sequence[Sizes] = ROWS, seed: int = 0) -> Graph:
    """The graph of what a function computes, found by running it on stand-ins for arrays.

    The function runs once at each of the sizes; where a length differs, it depends on them. In between, letter by
    letter, one must change alone. Then the graph is run on other arrays and compared with the function.

    Args:
        function: takes arrays by name, and a source of randomness; returns arrays by name.
        draw: makes the arrays of an example of these sizes, floats in float64.
        sizes: at least two.
        seed: of the examples.

    Raises:
        TraceError: it cannot be traced; with the line, and what to write instead.
    """
    rng = np.random.default_rng(seed)
    runs = [recorded(function, draw(s, rng), seed) for s in sizes]
    graph = _merged(runs, tuple(sizes))
    for s in sizes:
        _compare(graph, function, draw(s, rng), seed)
    return graph


class Draws:
    """Stands in for a generator: what is drawn becomes part of the graph."""

    def __init__(self, recorder: Recorder[StandIn], seed: int) -> None:
        self._recorder, self._rng = recorder, np.random.default_rng(seed)

    def __getattr__(self, method: str) -> Any:
        return lambda *args, **kwargs: self._recorder.random(method, args, kwargs, self._rng)


def recorded(
    function: Function, arrays: Mapping[str, Any], seed: int
) -> tuple[Recorder[StandIn], dict[str, int]]:
    """What a function does with stand-ins for some arrays, and the nodes of what it returns.

    Raises:
        TraceError: it cannot be traced.
    """
    recorder = Recorder(StandIn, FUNCTIONS)
    given = {name: recorder.input(name, np.array(a)) for name, a in arrays.items()}
    recorder.watch(sys._getframe())
    before = sys.getprofile()
    sys.setprofile(recorder.returns)
    try:
        with np.errstate(all="ignore"):
            outputs = function(given, Draws(recorder, seed))
    finally:
        sys.setprofile(before)
    return recorder, {name: recorder.node_of(y) for name, y in outputs.items()}


def _merged(
    runs: Sequence[tuple[Recorder[StandIn], dict[str, int]]], examples: tuple[Sizes, ...]
) -> Graph:
    """One graph of several runs at different sizes."""
    recorders, ends = [r for r, _ in runs], [e for _, e in runs]
    builder = Builder(examples)
    nodes: list[Node] = []
    inputs: dict[str, Node] = {}
    count = {len(r.nodes) for r in recorders}
    for records in zip(*(r.nodes for r in recorders), strict=False):
        first = records[0]
        if any((r.op, r.inputs) != (first.op, first.inputs) for r in records):
            raise TraceError(_unlike(first.place, examples))
        try:
            node = builder.seen(
                first.op,
                tuple(nodes[i] for i in first.inputs),
                [r.attributes for r in records],
                tuple(r.value for r in records),
            )
        except ValueError as e:
            raise TraceError(
                f"{first.place or 'the function'}: numbers depend on {_letters(examples)} in a way that is not "
                f"traced ({e}): compute them from the arrays of the step"
            ) from e
        node.place = node.place or first.place
        if first.name and not node.name:
            node.name = first.name
        nodes.append(node)
        if first.op == "input":
            inputs[first.attributes["name"]] = node
    if len(count) > 1 or any(e != ends[0] for e in ends):
        raise TraceError(_unlike(nodes[-1].place, examples))
    _shorten(nodes)
    outputs = {name: nodes[i] for name, i in ends[0].items()}
    for name, node in outputs.items():
        if name.isidentifier():
            node.name = node.name or name
    scopes = {
        code: Scope(line, {name: nodes[i] for name, i in names.items()})
        for code, (line, names) in recorders[0].scopes.items()
    }
    return Graph(inputs, outputs, examples, scopes)


def _shorten(nodes: Sequence[Node]) -> None:
    """Call what the author holds as `after.c` simply c, if nothing else has that name."""
    known = Counter(node.name.rpartition(".")[2] for node in set(nodes))
    for node in nodes:
        last = node.name.rpartition(".")[2]
        if node.op != "input" and known[last] == 1:
            node.name = last


def _unlike(place: str, examples: Sequence[Sizes]) -> str:
    return (
        f"{place or 'the function'}: about here, which operations are done depends on {_letters(examples)} (an `if` "
        "or a loop over rows): write it for all rows at once"
    )


def _letters(examples: Sequence[Sizes]) -> str:
    names = {"N": "how many rows there are"}
    return " and ".join(names.get(letter, f"the length {letter}") for letter in examples[0])


def _compare(graph: Graph, function: Function, arrays: Mapping[str, Any], seed: int) -> None:
    """That a graph computes what the function does, for arrays that it has not seen."""
    copies = {name: np.array(a) for name, a in arrays.items()}
    with np.errstate(all="ignore"):
        wanted = function(copies, np.random.default_rng(seed))
    found = graph.evaluate(arrays, np.random.default_rng(seed))
    for name, y in wanted.items():
        want, got = np.asarray(y), np.asarray(found[name])
        finite = np.abs(want[np.isfinite(want)]) if want.dtype.kind == "f" else np.zeros(0)
        room = SAME * max(1.0, float(finite.max(initial=0.0)))
        if got.shape != want.shape or not np.allclose(got, want, 0.0, room, equal_nan=True):
            raise TraceError(
                f"{graph.outputs[name].place or 'the function'}: traced, it does not compute the same {name!r} for "
                "other numbers: it chooses what to compute by numbers that it does not take from the arrays of the "
                "step, or keeps something from call to call"
            )
