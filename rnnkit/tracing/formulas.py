"""Single gradients as equations, short enough to be read and copied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Final

import attrs

from rnnkit.tracing.broadcasting import broadcast
from rnnkit.tracing.building import Builder
from rnnkit.tracing.graph import Graph, Node, compute, in_order
from rnnkit.tracing.naming import adjoint_names
from rnnkit.tracing.operations import POINTWISE
from rnnkit.tracing.reverse import Gradient
from rnnkit.tracing.rules import ALIKE
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
        where: the function whose variables there are; all that have a name, if it is not known.
    """

    def __init__(
        self,
        found: Gradient,
        cotangents: Mapping[str, str],
        letters: Mapping[str, str],
        where: CodeType | None,
    ) -> None:
        graph = found.graph
        dtype = next((f"{d}.dtype" for d in cotangents.values() if d), "float")
        self.found, self.words = found, Words(letters, dtype)
        self.given = _authors(graph, where)
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
                own = [f"d{leaf.rpartition('.')[2]}"] if node is d else named.get(node, [])
                named[node] = [*own, "placed", "placed2"]
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
        """The same operation on other inputs; of one number, that needs no shape where it is broadcast."""
        numbers = [number(x) for x in inputs]
        if None not in numbers and node.op in POINTWISE:
            return self.build.number(float(compute(node.op, node.attributes, numbers, {})))
        if not inputs[0].shape and node.op in ("getitem", "reshape", "broadcast_to"):
            return inputs[0]
        if node.op not in ALIKE:
            pairs = zip(inputs, node.inputs, strict=True)
            inputs = tuple(broadcast(self.build.make, x, old.shape) for x, old in pairs)
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


def _authors(graph: Graph, where: CodeType | None) -> dict[Node, str]:
    """What the author calls nodes where a function returns; inputs by their own names, unless these hold others."""
    held: dict[str, Node] = {node.name: node for node in graph.nodes if node.name}
    if where is not None:
        held = dict(graph.live.get(where, held))
    held = {name: node for name, node in graph.inputs.items() if name not in held} | held
    given: dict[Node, str] = {}
    for name in sorted(held, key=lambda name: (name in graph.inputs, not name.isidentifier())):
        given.setdefault(held[name], name)
    return given


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
