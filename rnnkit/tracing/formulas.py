"""What a gradient should be, in the author's names: `dc * c_prev * f * (1 - f)`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from rnnkit.tracing.graph import Node
from rnnkit.tracing.naming import adjoint_names, plain
from rnnkit.tracing.reverse import Gradient
from rnnkit.tracing.source import Writer
from rnnkit.tracing.written import Words


@attrs.frozen
class Formula:
    """The gradient of an input, or of the columns of one gate.

    Attributes:
        gate: whose columns; empty for the whole input.
        text: what it is.
        where: what else is named in it, each as `name = formula`, in the order in which it can be computed.
    """

    gate: str
    text: str
    where: tuple[str, ...]


def formulas(found: Gradient, name: str, gates: Sequence[str] = ()) -> list[Formula]:
    """What the gradient of an input is: one formula, or one for each gate where these have columns of their own.

    Values are called what the author calls them, and `c_prev` where they are a slot c of the state before; the
    gradient of what is called c is dc.

    Args:
        found: the gradient, such as `gradient(traced(cell))`.
        name: of the input, as `zx`, `p.W` or `s.c`.
        gates: names of column blocks of equal width, in their order.
    """
    d = found.gradients[name]
    if d is None:
        return [Formula("", "0", ())]
    if gates and d.op == "concatenate" and len(d.inputs) == len(gates):
        return [_formula(found, x, gate) for x, gate in zip(d.inputs, gates, strict=True)]
    return [_formula(found, d, "")]


def _formula(found: Gradient, d: Node, gate: str) -> Formula:
    given: dict[Node, str] = {}
    for node in [*found.graph.inputs.values(), *found.graph.nodes]:
        said = node.name if node.name.startswith("p.") else plain(node.name)
        if said and said not in given.values():
            given[node] = said
    given |= {node: f"d{said}" for said, node in found.cotangents.items()}
    words = Words({letter: letter for letter in found.graph.examples[0]}, "float")
    writer = Writer(given, words, adjoint_names(found))
    (text,) = writer.write([d])
    lines = [_short(line) for line in writer.lines]
    last = lines[-1].partition(" = ") if lines else ("", "", "")
    if text == last[0]:
        text, lines = last[2], lines[:-1]
    return Formula(gate, _short(text), tuple(lines))


def _short(text: str) -> str:
    """1 for 1.0."""
    return re.sub(r"(?<![\w.])(\d+)\.0(?![\w])", r"\1", text)
