"""The way back of a cell, derived from its step and written as its author might have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from rnnkit.kinds.arrays import Arrays, NoParams
from rnnkit.kinds.cell import GatedCell, RecurrentCell
from rnnkit.kinds.lifted import lifted
from rnnkit.kinds.step_only import GatedStep
from rnnkit.kinds.traced import CellTrace
from rnnkit.tracing import Graph, Node, Sizes, in_order, trace
from rnnkit.tracing.naming import adjoint_names
from rnnkit.tracing.reverse import Gradient, gradient
from rnnkit.tracing.saving import to_save
from rnnkit.tracing.source import Writer, described, wrapped
from rnnkit.tracing.written import Words

SIZES: Final[Sequence[Sizes]] = tuple(
    {"N": n, "D": d, "H": h} for n, d, h in ((3, 4, 5), (4, 4, 5), (4, 6, 5), (4, 6, 7), (5, 9, 11))
)
"""Each length changes alone once, and at last all do: source is for any of them."""


@attrs.frozen
class CellSource:
    """What is derived of a cell, as source.

    Attributes:
        cache: the class of what `step` keeps; empty if that is one array.
        kept: the name of that class, or `Array`.
        step: the method, with what it keeps.
        step_back: the method.
        classes: what the source names beside NumPy and rnnkit's.
    """

    cache: str
    kept: str
    step: str
    step_back: str
    classes: Mapping[str, type]

    @property
    def text(self) -> str:
        """All of it."""
        parts = [self.cache, _indented(self.step), _indented(self.step_back)]
        return "\n\n".join(part for part in parts if part)


def cell_source(cell: RecurrentCell[Any, Any, Any]) -> CellSource:
    """Derive the way back of a cell.

    Raises:
        TraceError: its step cannot be traced, or has no derivative that is known; with the line.
    """
    made = CellTrace(lifted(cell))
    graph = trace(made.run, made.draw, SIZES)
    return _Deriving(cell, made, graph, gradient(graph)).source()


class _Deriving:
    def __init__(self, cell: Any, made: CellTrace, graph: Graph, found: Gradient) -> None:
        self.cell, self.graph, self.found = cell, graph, found
        self.p, self.s = made.p, made.s
        self.gated = isinstance(cell, GatedCell | GatedStep)
        self.inputs = ["zx", "zh"] if self.gated else ["x"]
        self.name = type(cell).__name__
        self.given = {node: name for name, node in graph.inputs.items()}
        self.scratch = frozenset(graph.inputs[n] for n in self.inputs if self.gated)
        params = {n for n in graph.inputs.values() if self.given[n].startswith("p.")}
        ds = set(found.cotangents.values())
        ends = [g for g in found.gradients.values() if g is not None]
        nodes = in_order([*graph.outputs.values(), *graph.inputs.values()])
        saved = to_save(ends, nodes, params | ds, self._handy)
        self.saved = sorted(saved, key=lambda node: node.op == "input")
        self.fields = _field_names(self.saved)

    def _handy(self, node: Node) -> bool:
        if node in self.scratch or (node.op == "getitem" and node.inputs[0] in self.scratch):
            return False
        return node.op == "input" or bool(node.name)

    def source(self) -> CellSource:
        many = len(self.saved) > 1
        kept = f"{self.name}Cache" if many else _type(self.saved[0]) if self.saved else "None"
        holders = {type(a).__name__: type(a) for a in (*_holders(self.p), *_holders(self.s))}
        return CellSource(
            self._cache(kept) if many else "",
            kept,
            self._step(kept),
            self._step_back(kept),
            holders,
        )

    def _cache(self, kept: str) -> str:
        fields = [f"    {name}: {_type(node)}" for node, name in self.fields.items()]
        return "\n".join(["@attrs.frozen", f"class {kept}:", *fields])

    def _signature(self, name: str, arguments: Sequence[str], result: str) -> list[str]:
        line = f"def {name}({', '.join(arguments)}) -> {result}:"
        if len(line) + 4 <= 100:
            return [line]
        return [f"def {name}(", f"    {', '.join(arguments)}", f") -> {result}:"]

    def _step(self, kept: str) -> str:
        p, s = type(self.p).__name__, type(self.s).__name__
        arguments = ["self", f"p: {p}", *(f"{x}: Array" for x in self.inputs), f"s: {s}"]
        words = Words({"N": "len(s.h)", "H": "H", "D": "D"}, "s.h.dtype")
        names = {n: [_plain_name(n)] for n in self.graph.nodes if n.name and n not in self.given}
        for name in names.values():
            name += ["z"] if name[0] in self.inputs else []
        writer = Writer(self.given, words, names, self.scratch)
        outputs = list(self.graph.outputs.values())
        ends = writer.write([*outputs, *self.saved], in_turn=True)
        values = dict(zip(self.graph.outputs, ends, strict=False))
        state = _constructor(self.s, values, "s.", keywords=False)
        saved = [self._copied(n, e) for n, e in zip(self.saved, ends[len(outputs) :], strict=True)]
        cache = f"{kept}({', '.join(saved)})" if len(saved) > 1 else saved[0] if saved else kept
        body = [*writer.lines, *wrapped(f"return {state}, {cache}")]
        head = self._signature("step", arguments, f"tuple[{s}, {kept}]")
        sizes = {"H": "s.h.shape[-1]", "D": "x.shape[-1]"}
        return _method(head, [*_lengths(body, sizes), *body])

    def _copied(self, node: Node, said: str) -> str:
        """What is only lent is copied."""
        while node.op in ("getitem", "reshape", "transpose"):
            node = node.inputs[0]
        return f"{said}.copy()" if node in self.scratch else said

    def _step_back(self, kept: str) -> str:
        p, s = type(self.p).__name__, type(self.s).__name__
        result = ["Array"] * len(self.inputs) + [s, p]
        head = self._signature(
            "step_back",
            ["self", f"p: {p}", f"ds: {s}", f"cache: {kept}"],
            f"tuple[{', '.join(result)}]",
        )
        many = len(self.saved) > 1
        given = {n: f"k.{f}" if many else "cache" for n, f in self.fields.items()}
        given |= {n: name for n, name in self.given.items() if name.startswith("p.")}
        given |= {n: f"d{name}" for name, n in self.found.cotangents.items()}
        words = Words({"N": "len(ds.h)", "H": "H", "D": "D"}, "ds.h.dtype")
        writer = Writer(given, words, adjoint_names(self.found))
        found = {name: g for name, g in self.found.gradients.items() if g is not None}
        said = dict(zip(found, writer.write(list(found.values())), strict=True))
        values = {name: said.get(name) or self._zero(name) for name in self.graph.inputs}
        body = [*["k = cache"] * (many and any("k." in line for line in self._all(writer, values)))]
        returned = [values[x] for x in self.inputs]
        returned.append(_constructor(self.s, values, "s.", keywords=False))
        last = "p" if isinstance(self.p, NoParams) else _constructor(self.p, values, "p.")
        lines = list(writer.lines)
        if len(f"return {', '.join([*returned, last])}") > 88 and last != "p":
            lines += wrapped(f"dp = {last}")
            last = "dp"
        line = f"return {', '.join([*returned, last])}"
        lines += [line] if len(line) <= 92 else wrapped(f"return ({line.removeprefix('return ')})")
        x = next((said for n, said in given.items() if self.given.get(n) == "x"), "x")
        sizes = {"H": "ds.h.shape[-1]", "D": f"{x}.shape[-1]"}
        return _method(head, [*body, *_lengths(lines, sizes), *lines])

    def _all(self, writer: Writer, values: Mapping[str, str]) -> list[str]:
        return [*writer.lines, *values.values()]

    def _zero(self, name: str) -> str:
        """A gradient of 0."""
        node = self.graph.inputs[name]
        for other, d in self.found.cotangents.items():
            if d.shape == node.shape:
                return f"np.zeros_like(d{other})"
        words = Words({"N": "len(ds.h)", "H": "H", "D": "D"}, "ds.h.dtype")
        if name.startswith("p."):
            return f"np.zeros_like({name})"
        return f"np.zeros({words.tuple(node.shape)}, ds.h.dtype)"


def _type(node: Node) -> str:
    """The name of the type of an array."""
    return {"b": "Mask", "i": "Ints"}.get(node.dtype.kind, "Array")


def _holders(a: Arrays) -> list[Arrays]:
    held = [getattr(a, f.name) for f in attrs.fields(type(a))]
    return [a, *(h for inner in held if isinstance(inner, Arrays) for h in _holders(inner))]


def _constructor(a: Arrays, values: Mapping[str, str], prefix: str, keywords: bool = True) -> str:
    """The expression that makes a container of arrays."""
    parts = []
    for field in attrs.fields(type(a)):
        inner = getattr(a, field.name)
        if isinstance(inner, Arrays):
            said = _constructor(inner, values, f"{prefix}{field.name}.", keywords)
        else:
            said = values[f"{prefix}{field.name}"]
        parts.append(f"{field.alias or field.name}={said}" if keywords else said)
    return f"{type(a).__name__}({', '.join(parts)})"


def _plain_name(node: Node) -> str:
    """The author's name of a node as one word: `s.c` is `c_prev`, `x.z` is `x_z`."""
    name = node.name
    if node.op == "input" and name.startswith("s."):
        return f"{name[2:]}_prev".replace(".", "_")
    return re.sub(r"\W+", "_", name).strip("_")


def _field_names(saved: Sequence[Node]) -> dict[Node, str]:
    """What the arrays of a cache are called."""
    names: dict[Node, str] = {}
    for node in saved:
        stem = _plain_name(node) or described(node, [_plain_name(i) for i in node.inputs])[0]
        name, i = stem, 2
        while name in names.values():
            name, i = f"{stem}{i}", i + 1
        names[node] = name
    return names


def _lengths(lines: Sequence[str], sizes: Mapping[str, str]) -> list[str]:
    """Lines that give letters their lengths, of those that are used."""
    used = set(re.findall(r"(?<![\w.])[A-Z](?![\w.(])", "\n".join(lines)))
    return [f"{letter} = {said}" for letter, said in sizes.items() if letter in used]


def _method(head: Sequence[str], body: Sequence[str]) -> str:
    return "\n".join([*head, *(f"    {line}" for line in body)])


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in text.split("\n"))
