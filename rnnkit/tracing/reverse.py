"""The gradient of a graph, as a graph again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.errors import TraceError
from rnnkit.tracing.broadcasting import broadcast, unbroadcast
from rnnkit.tracing.building import Builder
from rnnkit.tracing.graph import Graph, Node
from rnnkit.tracing.placing import Contribution, placed
from rnnkit.tracing.rules import ALIKE, FLAT, RULES, WHOLE
from rnnkit.tracing.terms import Term

NOTHING: Final = 1e-13
"""Relative to the largest gradient: what is rounding alone, and so 0."""


@attrs.frozen(eq=False)
class Gradient:
    """The gradient of the sum of cotangent * output with respect to inputs.

    Attributes:
        graph: what it is the gradient of.
        cotangents: the gradients of outputs that it takes, by output.
        gradients: of each input, shaped like it; None if the outputs do not depend on it.
        adjoints: of every node that one was found for, in the graph.
    """

    graph: Graph
    cotangents: Mapping[str, Node]
    gradients: Mapping[str, Node | None]
    adjoints: Mapping[Node, Node]

    def evaluate(
        self, arrays: Mapping[str, Any], cotangents: Mapping[str, Any], rng: Any = None
    ) -> dict[str, Any]:
        """The gradients at other arrays; of inputs that outputs do not depend on they are 0.

        Args:
            arrays: by the names of the inputs.
            cotangents: by the names of the outputs.
            rng: the generator of random numbers, where the function draws some.
        """
        found = {k: g for k, g in self.gradients.items() if g is not None}
        given = {node.attributes["name"]: node for node in self.cotangents.values()}
        graph = Graph({**self.graph.inputs, **given}, found, self.graph.examples)
        named = {node.attributes["name"]: cotangents[k] for k, node in self.cotangents.items()}
        made = graph.evaluate({**arrays, **named}, rng)
        return {k: made[k] if k in found else np.zeros_like(arrays[k]) for k in self.gradients}


def gradient(
    graph: Graph,
    outputs: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    *,
    ones: bool = False,
) -> Gradient:
    """The gradient of a graph, by reverse mode.

    Args:
        graph: which.
        outputs: those that have a cotangent; all floating ones if left open.
        inputs: those to differentiate with respect to; all floating ones if left open.
        ones: whether every cotangent is 1, and not an input of the gradient.

    Raises:
        TraceError: an operation has no derivative that is known; with its line.
    """
    reverse = _Reverse(graph)
    cotangents = {}
    rng = np.random.default_rng(0)
    for name in outputs if outputs is not None else _floating(graph.outputs):
        y = graph.outputs[name]
        if ones:
            one = reverse.builder.number(1.0)
            if not y.shape:
                one = reverse.builder.make("full", one, shape=(), dtype=y.dtype)
            reverse.give(y, Contribution(one))
            continue
        values = tuple(rng.standard_normal(np.shape(v)) for v in y.values)
        cotangents[name] = reverse.builder.seen(
            "input", (), [{"name": f"d{name}"}] * len(values), values
        )
        cotangents[name].name = f"d{name}"
        reverse.give(y, Contribution(cotangents[name]))
    wanted = inputs if inputs is not None else _floating(graph.inputs)
    reverse.run({graph.inputs[name] for name in wanted})
    found = {name: reverse.whole_of(graph.inputs[name]) for name in wanted}
    return Gradient(graph, cotangents, found, reverse.total)


def _floating(nodes: Mapping[str, Node]) -> list[str]:
    return [name for name, node in nodes.items() if node.dtype.kind == "f"]


class _Reverse:
    """Goes through a graph from its outputs to its inputs."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = Builder(graph.examples, graph.nodes, exact=False)
        self.parts: dict[Node, list[Contribution]] = {}
        self.total: dict[Node, Node] = {}

    def term(self, node: Node) -> Term:
        return Term(self.builder.make, node)

    def give(self, node: Node, contribution: Contribution) -> None:
        """Add to the gradient of a node."""
        if node.op not in FLAT - {"input"} and node.dtype.kind == "f":
            self.parts.setdefault(node, []).append(contribution)

    def run(self, wanted: set[Node]) -> None:
        """Give every node on the way to the inputs its gradient."""
        nodes = self.graph.nodes
        useful = set(wanted)
        for node in nodes:
            if any(i in useful for i in node.inputs):
                useful.add(node)
        for node in reversed(nodes):
            if node in useful and node in self.parts:
                d = self._summed(node)
                if d is not None:
                    self.total[node] = d
                    self._spread(node, d, useful)

    def whole_of(self, x: Node) -> Node | None:
        """The gradient of an input, in its shape."""
        d = self.total.get(x)
        return None if d is None else broadcast(self.builder.make, d, x.shape)

    def _spread(self, node: Node, d: Node, useful: set[Node]) -> None:
        """Give the inputs of a node what they have of its gradient."""
        if node.op in FLAT:
            return
        if node.op in WHOLE:
            d = broadcast(self.builder.make, d, node.shape)
        if node.op == "getitem":
            x, *arrays = node.inputs
            self.give(x, Contribution(d, node.attributes["index"], tuple(arrays)))
            return
        if node.op == "concatenate":
            self._split(node, d)
            return
        if node.op == "reciprocal" and node.inputs[0].op == "sqrt":
            y = self.term(node)
            self.give(
                node.inputs[0].inputs[0],
                Contribution((-0.5 * (self.term(d) * (y * y.of("square")))).node),
            )
            return
        for x, part in zip(node.inputs, self._parts(node, d), strict=True):
            if part is not None and x in useful:
                shape = node.shape if node.op in ALIKE else part.node.shape
                self.give(
                    x, Contribution(unbroadcast(self.builder.make, part.node, shape, x.shape))
                )

    def _parts(self, node: Node, d: Node) -> tuple[Term | None, ...]:
        rule = RULES.get(node.op)
        try:
            if rule is not None:
                return rule(self.term(d), self.term(node), *map(self.term, node.inputs))
            why = f"np.{node.op}"
        except NotImplementedError as e:
            why = str(e)
        raise TraceError(f"{node.place}: rnnkit knows no derivative of {why}: write it with others")

    def _split(self, node: Node, d: Node) -> None:
        """The gradient of arrays that were joined."""
        axis = node.attributes["axis"]
        ends = [[0] * len(node.values)]
        for x in node.inputs:
            ends.append([e + np.shape(v)[axis] for e, v in zip(ends[-1], x.values, strict=True)])
        bounds = [self.builder.length(e) for e in ends]
        for x, (start, stop) in zip(node.inputs, pairwise(bounds), strict=True):
            index: list[Any] = [slice(None)] * len(node.shape)
            index[axis] = slice(start, stop)
            if x.op not in FLAT - {"input"}:
                self.give(x, Contribution(self.builder.make("getitem", d, index=tuple(index))))

    # The sum of all parts.

    def _summed(self, node: Node) -> Node | None:
        parts = self.parts[node]
        whole = [p.d for p in parts if p.index is None]
        at = [p for p in parts if p.index is not None]
        terms = whole + placed(self.builder, node, at)
        total = terms[0]
        for d in terms[1:]:
            total = self.builder.make("add", total, d)
        return None if self._cancels(total, terms) else total

    def _cancels(self, total: Node, terms: Sequence[Node]) -> bool:
        """Whether it is always 0, as for a shift that cancels: it is rounding at all sizes, for random numbers."""
        largest = max(
            (float(np.max(np.abs(d.values[0]), initial=0.0)) for d in self.total.values()),
            default=0.0,
        )
        here = max(float(np.max(np.abs(v), initial=0.0)) for v in total.values)
        return bool(self.total) and here <= NOTHING * largest
