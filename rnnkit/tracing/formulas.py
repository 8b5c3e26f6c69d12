"""Single gradients as equations, short enough to be read and copied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from rnnkit.tracing.building import Builder
from rnnkit.tracing.graph import Node, compute, in_order
from rnnkit.tracing.naming import adjoint_names
from rnnkit.tracing.operations import POINTWISE
from rnnkit.tracing.reverse import Gradient
from rnnkit.tracing.simplify import number
from rnnkit.tracing.sizes import Size
from rnnkit.tracing.source import Writer
from rnnkit.tracing.written import Words

LONG: Final = 100
"""Characters of an equation at most."""

STEPS: Final = 3
"""Names at most for parts of an equation."""


@attrs.frozen
class Formula:
    """What a gradient is.

    Attributes:
        text: an expression of the author's variables, and of those that the steps make.
        steps: statements, each after those that it needs.
    """

    text: str
    steps: tuple[str, ...] = ()

    @property
    def names(self) -> set[str]:
        """The variables that the steps make."""
        return {step.partition(" = ")[0] for step in self.steps if re.match(r"\w+ = ", step)}


class Formulas:
    """Writes the gradients of a graph, one by one.

    Args:
        found: the gradients.
        cotangents: output -> what its gradient is called; empty where it is 1.
        letters: letter of a length -> an expression of it.
    """

    def __init__(
        self,
        found: Gradient,
        cotangents: Mapping[str, str],
        letters: Mapping[str, str],
    ) -> None:
        graph = found.graph
        dtype = next((f"{d}.dtype" for d in cotangents.values() if d), "float")
        self.found, self.words = found, Words(letters, dtype)
        self.given = _authors(graph.nodes)
        self.given |= {node: node.name or name for name, node in graph.inputs.items()}
        self.given |= {d: cotangents[name] for name, d in found.cotangents.items()}
        ends = [d for d in found.gradients.values() if d is not None]
        every = in_order([*graph.outputs.values(), *graph.inputs.values(), *ends])
        self.build = Builder(graph.examples, every, exact=False)
        ones = [d for name, d in found.cotangents.items() if not cotangents[name]]
        self._known: dict[Node, Node] = {node: node for node in graph.nodes}
        self._known |= dict.fromkeys(ones, self.build.number(1.0))
        self.names = {self._settled(d): names for d, names in adjoint_names(found).items()}

    def of(self, leaf: str, block: tuple[int, int] = (0, 1)) -> Formula | None:
        """The gradient of an input; None if it takes more than a few short equations.

        Args:
            leaf: its name.
            block: (k, n) for the kth of n column blocks alone.
        """
        d = self.found.gradients[leaf]
        if d is None:
            return Formula("0")
        d = self._settled(d)
        k, n = block
        if n > 1:
            lengths = self.build.lengths(self.found.graph.inputs[leaf].shape[-1])
            ends = [[i * w // n for w in lengths] for i in (k, k + 1)]
            start, stop = map(self.build.length, ends)
            d = self._cut(d, start, stop)
        try:
            return self._written(d, leaf)
        except NotImplementedError:  # it has an operation that is not written in one expression
            return None

    def _written(self, d: Node, leaf: str) -> Formula | None:
        named = {node: names for node, names in self.names.items() if node is not d}
        for node in in_order([d], self.given):
            if node.op in ("setitem", "add_at"):
                named[node] = [f"d{leaf.rpartition('.')[2]}" if node is d else "placed"]
        given = self.given | {
            node: f"np.zeros_like({self.given[like]})"
            for node in in_order([d])
            for like in self.found.graph.inputs.values()
            if node.op == "full" and number(node) == 0 and node.shape == like.shape
        }
        writer = Writer(given, self.words, named)
        (text,) = writer.write([d])
        *steps, last = [*_statements(writer.lines), ""]
        if steps and steps[-1].startswith(f"{text} = "):  # it was so long that it got a name
            *steps, last = steps
            text = last.removeprefix(f"{text} = ")
        formula = Formula(_plain(text), tuple(map(_plain, steps)))
        short = all(len(equation) <= LONG for equation in (formula.text, *formula.steps))
        return formula if short and len(formula.names) <= STEPS else None

    def _settled(self, d: Node) -> Node:
        """A node with 1 for the gradients of outputs that are 1."""
        for node in in_order([d], self._known):
            inputs = tuple(self._known[i] for i in node.inputs)
            same = inputs == node.inputs
            self._known[node] = node if same else self._again(node, inputs)
        return self._known[d]

    def _again(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """The same operation on other inputs; of numbers alone, a number."""
        numbers = [number(x) for x in inputs]
        if None not in numbers and node.op in POINTWISE:
            return self.build.number(float(compute(node.op, node.attributes, numbers, {})))
        if None not in numbers and node.op in ("getitem", "reshape", "broadcast_to"):
            return self.build.number(numbers[0])
        return self.build.make(node.op, *inputs, **node.attributes)

    def _cut(self, d: Node, start: int | Size, stop: int | Size) -> Node:
        """Columns of a node, computed from columns."""
        if not d.shape or d.shape[-1] == 1:
            return d
        if d.op == "concatenate" and d.attributes["axis"] == len(d.shape) - 1:
            at = [0] * len(d.values)
            for x in d.inputs:
                after = [a + v.shape[-1] for a, v in zip(at, x.values, strict=True)]
                if (self.build.length(at), self.build.length(after)) == (start, stop):
                    return x
                at = after
        if d not in self.given and d.op in (*POINTWISE, "sigmoid", "where"):
            cut = [self._cut(x, start, stop) for x in d.inputs]
            return self.build.make(d.op, *cut, **d.attributes)
        if d.op == "matmul" and len(d.inputs[1].shape) > 1:
            a, b = d.inputs
            return self.build.make("matmul", a, self._cut(b, start, stop))
        if d.op == "sum" and d.attributes["axis"] == 0:
            return self.build.make("sum", self._cut(d.inputs[0], start, stop), **d.attributes)
        index = (*[slice(None)] * (len(d.shape) - 1), slice(start, stop))
        return self.build.make("getitem", d, index=index)


def _authors(nodes: Iterable[Node]) -> dict[Node, str]:
    """What the author calls nodes; a name that is used again stands for the last."""
    last = {node.name: node for node in nodes if node.name}
    return {node: name for name, node in last.items()}


def _statements(lines: Iterable[str]) -> list[str]:
    """Lines of source, those of one statement in one."""
    found: list[str] = []
    for line in lines:
        if line[:1] in " )]}":
            space = "" if found[-1][-1] in "([{" or line[0] in ")]}" else " "
            found[-1] += space + line.strip()
        else:
            found.append(line)
    return found


def _plain(text: str) -> str:
    """Whole numbers as they are written on paper: 1 - f for 1.0 - f."""
    return re.sub(r"(?<![\w.])(\d+)\.0(?![\w.])", r"\1", text)
