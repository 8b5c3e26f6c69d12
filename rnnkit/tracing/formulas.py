"""What a gradient should be, in the author's names: `dc * c_prev * f * (1 - f)`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from rnnkit.tracing.broadcasting import broadcast
from rnnkit.tracing.building import Builder
from rnnkit.tracing.graph import Graph, Node, Scope, in_order
from rnnkit.tracing.naming import adjoint_names, plain
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

SHORT: Final = 3
"""Characters at most of a name that is made of others, as `drh` of r h."""


@attrs.frozen
class Formula:
    """The gradient of an input, or of some of its columns.

    Attributes:
        text: what it is.
        where: statements that make what else is named in it, each after those that it needs.
    """

    text: str
    where: tuple[str, ...] = ()

    @property
    def short(self) -> bool:
        """Whether it can be read at a glance."""
        names = {said.partition(" = ")[0] for said in self.where if re.match(r"\w+ = ", said)}
        return len(names) <= STEPS and all(len(said) <= LONG for said in (self.text, *self.where))


class _Writer(Writer):
    """Without functions that are rnnkit's own."""

    def _summed_rows(self, node: Node) -> None:
        return None


class Formulas:
    """Writes gradients, one by one.

    Values are called what the author calls them where the function returns, and `c_prev` where they are a slot c of the
    state before; the gradient of what is called c is dc.

    Args:
        found: the gradients.
        function: the author's.
        cotangents: output -> what its gradient is called; d and its name, where that is not said.
        letters: letter of a length -> an expression of it; the letter itself, where none is said.
    """

    def __init__(
        self,
        found: Gradient,
        function: Callable[..., Any] | None = None,
        cotangents: Mapping[str, str] | None = None,
        letters: Mapping[str, str] | None = None,
    ) -> None:
        graph, called = found.graph, cotangents or {}
        ds = {d: called.get(name, f"d{name}") for name, d in found.cotangents.items()}
        own = {letter: letter for letter in graph.examples[0]}
        self._words = Words(
            own | dict(letters or {}), next((f"{d}.dtype" for d in ds.values()), "float")
        )
        self._found, self._given = found, _authors(graph, function) | ds
        ends = [d for d in found.gradients.values() if d is not None]
        every = in_order([*graph.outputs.values(), *graph.inputs.values(), *ends])
        self._builder = Builder(graph.examples, every, exact=False)

    def of(self, name: str, block: tuple[int, int] = (0, 1)) -> Formula:
        """The gradient of an input.

        Args:
            name: of the input.
            block: (k, n) for the kth of n column blocks alone.

        Raises:
            NotImplementedError: it has an operation that is not written as an expression.
        """
        d = self._found.gradients[name]
        if d is None:
            return Formula("0")
        k, n = block
        if n > 1:
            widths = self._builder.lengths(self._found.graph.inputs[name].shape[-1])
            start, stop = (self._builder.length([i * w // n for w in widths]) for i in (k, k + 1))
            d = self._cut(d, start, stop)
        return self._written(d, name)

    def _written(self, d: Node, leaf: str) -> Formula:
        d = self._lean(d)
        writer = _Writer(self._given | self._zeros(d), self._words, self._names(d, leaf))
        (text,) = writer.write([d])
        where = _statements(writer.lines)
        if where and where[-1].startswith(f"{text} = "):  # it was so long that it got a name
            text = where.pop().removeprefix(f"{text} = ")
        return Formula(_whole(text), tuple(map(_whole, where)))

    def _names(self, d: Node, leaf: str) -> dict[Node, list[str]]:
        """Names for what a gradient is made of, but for itself."""
        nodes = (*self._found.graph.inputs.values(), *self._found.graph.nodes)
        authors = {f"d{plain(node.name)}" for node in nodes}
        names = {
            node: [*(n for n in said if n in authors or len(n) <= SHORT), "dz"]
            for node, said in adjoint_names(self._found).items()
            if node is not d
        }
        for node in in_order([d], self._given):
            if node.op in ("setitem", "add_at"):  # made in statements, so that it needs a name
                own = [f"d{plain(leaf.rpartition('.')[2])}"] if node is d else names.get(node, [])
                names[node] = [*own, "placed", "placed2"]
        return names

    def _zeros(self, d: Node) -> dict[Node, str]:
        """Arrays of zeros that are shaped like an input."""
        inputs = [x for x in self._found.graph.inputs.values() if x in self._given]
        return {
            node: f"np.zeros_like({self._given[x]})"
            for node in in_order([d])
            for x in inputs
            if node.op == "full" and number(node) == 0 and node.shape == x.shape
        }

    def _lean(self, d: Node) -> Node:
        """A node without the axes of single numbers, which are broadcast anyway."""
        lean: dict[Node, Node] = {}
        for node in in_order([d], self._given):
            inputs = tuple(lean.get(x, x) for x in node.inputs)
            if inputs and not inputs[0].shape and node.op in ("getitem", "reshape", "broadcast_to"):
                lean[node] = inputs[0]
            elif inputs != node.inputs:
                if node.op not in ALIKE:
                    pairs = zip(inputs, node.inputs, strict=True)
                    inputs = tuple(broadcast(self._builder.make, x, y.shape) for x, y in pairs)
                lean[node] = self._builder.make(node.op, *inputs, **node.attributes)
        return lean.get(d, d)

    def _cut(self, d: Node, start: int | Size, stop: int | Size) -> Node:
        """Columns of a node, computed from columns."""
        make = self._builder.make
        if not d.shape or d.shape[-1] == 1:
            return d
        if d.op == "concatenate" and d.attributes["axis"] == len(d.shape) - 1:
            at = [0] * len(d.values)
            for x in d.inputs:
                after = [a + v.shape[-1] for a, v in zip(at, x.values, strict=True)]
                if (self._builder.length(at), self._builder.length(after)) == (start, stop):
                    return x
                at = after
        if d not in self._given and d.op in (*POINTWISE, "sigmoid", "where"):
            return make(d.op, *(self._cut(x, start, stop) for x in d.inputs), **d.attributes)
        if d.op == "matmul" and len(d.inputs[1].shape) > 1:
            a, b = d.inputs
            return make("matmul", a, self._cut(b, start, stop))
        if d.op == "sum" and d.attributes["axis"] == 0:
            return make("sum", self._cut(d.inputs[0], start, stop), **d.attributes)
        index = (*[slice(None)] * (len(d.shape) - 1), slice(start, stop))
        return make("getitem", d, index=index)


def _authors(graph: Graph, function: Callable[..., Any] | None) -> dict[Node, str]:
    """What the author calls nodes where a function returns; inputs by their own names, unless these hold others."""
    every = {node.name: node for node in graph.nodes if node.name}
    code = getattr(function, "__code__", None)
    held = dict(graph.scopes.get(code, Scope(0, every)).names) if code else every
    held = {name: node for name, node in graph.inputs.items() if name not in held} | held
    given: dict[Node, str] = {}
    for name in sorted(
        held, key=lambda name: 1 if name in graph.inputs else 2 * (not name.isidentifier())
    ):
        before = held[name].op == "input" and name.startswith("s.")
        given.setdefault(held[name], plain(name) if before else name)
    return given


def _statements(lines: Iterable[str]) -> list[str]:
    """Lines of source, those of one statement in one."""
    found: list[str] = []
    for line in (line.partition("  #")[0] for line in lines):
        if line[:1] in " )]}":
            space = "" if found[-1][-1] in "([{" or line[0] in ")]}" else " "
            found[-1] += space + line.strip()
        else:
            found.append(line)
    return found


def _whole(text: str) -> str:
    """Whole numbers as they are written on paper: 1 - f for 1.0 - f."""
    return re.sub(r"(?<![\w.])(\d+)\.0(?![\w.])", r"\1", text)
