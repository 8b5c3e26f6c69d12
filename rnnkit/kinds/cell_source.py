"""The way back of a cell, derived from its step and written as its author might have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from rnnkit.kinds.arrays import NoParams
from rnnkit.kinds.cell import GatedCell, RecurrentCell
from rnnkit.kinds.lifted import lifted
from rnnkit.kinds.source import (
    Source,
    array_type,
    cache_class,
    constructor,
    field_names,
    holders,
    indented,
    lengths,
    method,
    plain_name,
    signature,
)
from rnnkit.kinds.step_only import GatedStep
from rnnkit.kinds.traced import CellTrace
from rnnkit.tracing import Graph, Node, Sizes, in_order, trace
from rnnkit.tracing.graph import Scope
from rnnkit.tracing.layout import wrapped
from rnnkit.tracing.naming import adjoint_names
from rnnkit.tracing.reverse import Gradient, gradient
from rnnkit.tracing.saving import to_save
from rnnkit.tracing.source import Writer
from rnnkit.tracing.written import Words

SIZES: Final[Sequence[Sizes]] = tuple(
    {"N": n, "D": d, "H": h} for n, d, h in ((3, 4, 5), (4, 4, 5), (4, 6, 5), (4, 6, 7), (5, 9, 11))
)
"""Each length changes alone once, and at last all do: source is for any of them."""


@attrs.frozen
class CellSource(Source):
    """What is derived of a cell, as source.

    Attributes:
        step: the method, with what it keeps.
    """

    step: str

    @property
    def text(self) -> str:
        """All of it."""
        parts = [self.cache, indented(self.step), indented(self.back)]
        return "\n\n".join(part for part in parts if part)


def cell_source(
    cell: RecurrentCell[Any, Any, Any], *, name: str = "", own: bool = False
) -> CellSource:
    """Derive the way back of a cell.

    Args:
        cell: with its options.
        name: of the class of the cache; else that of the cell and `Cache`.
        own: whether to keep what has a name where the author's own step returns, so that this can stay as it is.

    Raises:
        TraceError: its step cannot be traced, or has no derivative that is known; with the line.
    """
    made = CellTrace(lifted(cell))
    graph = trace(made.run, made.draw, SIZES)
    step: Any = getattr(type(cell), "step", None)
    scope = graph.scopes.get(step.__code__, Scope(0, {}))
    return _Deriving(cell, made, graph, gradient(graph), scope, name, own).source()


class _Deriving:
    def __init__(
        self,
        cell: Any,
        made: CellTrace,
        graph: Graph,
        found: Gradient,
        scope: Scope,
        name: str,
        own: bool,
    ) -> None:
        self.cell, self.graph, self.found = cell, graph, found
        self.scope, self.own, self.cache_name = scope, own, name
        self.live: dict[Node, str] = {}
        for said, node in sorted(
            scope.names.items(), key=lambda item: "." in item[0] or "[" in item[0]
        ):
            self.live.setdefault(node, said)
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
        self.fields = field_names(self.saved)

    def _handy(self, node: Node) -> bool:
        if node in self.scratch:
            return False
        if self.own and node in self.live and "[" not in self.live[node]:
            return True
        if node.op == "getitem" and node.inputs[0] in self.scratch:
            return False
        return node.op == "input" or (bool(node.name) and not self.own)

    def source(self) -> CellSource:
        many = len(self.saved) > 1
        name = self.cache_name or f"{self.name}Cache"
        kept = name if many else array_type(self.saved[0]) if self.saved else "None"
        classes = {type(a).__name__: type(a) for a in (*holders(self.p), *holders(self.s))}
        before, keeping = self._keeping(kept)
        return CellSource(
            cache=cache_class(kept, self.fields) if many else "",
            kept=kept,
            back=self._step_back(kept),
            line=self.scope.line,
            before=before,
            keeping=keeping,
            classes=classes,
            step=self._step(kept),
        )

    def _step(self, kept: str) -> str:
        p, s = type(self.p).__name__, type(self.s).__name__
        arguments = ["self", f"p: {p}", *(f"{x}: Array" for x in self.inputs), f"s: {s}"]
        words = Words({"N": "len(s.h)", "H": "H", "D": "D"}, "s.h.dtype")
        names = {n: [plain_name(n)] for n in self.graph.nodes if n.name and n not in self.given}
        for name in names.values():
            name += ["z"] if name[0] in self.inputs else []
        writer = Writer(self.given, words, names, self.scratch)
        outputs = list(self.graph.outputs.values())
        ends = writer.write([*outputs, *self.saved], in_turn=True)
        values = dict(zip(self.graph.outputs, ends, strict=False))
        state = constructor(self.s, values, "s.", keywords=False)
        saved = [self._copied(n, e) for n, e in zip(self.saved, ends[len(outputs) :], strict=True)]
        cache = f"{kept}({', '.join(saved)})" if len(saved) > 1 else saved[0] if saved else kept
        body = [*writer.lines, *wrapped(f"return {state}, {cache}")]
        head = signature("step", arguments, f"tuple[{s}, {kept}]")
        sizes = {"H": "s.h.shape[-1]", "D": "x.shape[-1]"}
        return method(head, [*lengths(body, sizes), *body])

    def _keeping(self, kept: str) -> tuple[tuple[str, ...], str]:
        """What the author's own `return` gives beside the state, and lines in front of it."""
        if not self.own:
            return (), ""
        words = Words({"N": "len(s.h)", "H": "s.h.shape[-1]", "D": "x.shape[-1]"}, "s.h.dtype")
        outer = {n: said for n, said in self.given.items() if n not in self.scratch}
        writer = Writer({**outer, **self.live}, words, {})
        ends = writer.write(self.saved, in_turn=True)
        saved = [self._copied(n, e) for n, e in zip(self.saved, ends, strict=True)]
        cache = f"{kept}({', '.join(saved)})" if len(saved) > 1 else saved[0] if saved else kept
        return tuple(writer.lines), cache

    def _copied(self, node: Node, said: str) -> str:
        """What is only lent is copied."""
        while node.op in ("getitem", "reshape", "transpose"):
            node = node.inputs[0]
        return f"{said}.copy()" if node in self.scratch else said

    def _step_back(self, kept: str) -> str:
        p, s = type(self.p).__name__, type(self.s).__name__
        result = ["Array"] * len(self.inputs) + [s, p]
        head = signature(
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
        returned.append(constructor(self.s, values, "s.", keywords=False))
        last = "p" if isinstance(self.p, NoParams) else constructor(self.p, values, "p.")
        lines = list(writer.lines)
        if len(f"return {', '.join([*returned, last])}") > 88 and last != "p":
            lines += wrapped(f"dp = {last}")
            last = "dp"
        line = f"return {', '.join([*returned, last])}"
        lines += [line] if len(line) <= 92 else wrapped(f"return ({line.removeprefix('return ')})")
        x = next((said for n, said in given.items() if self.given.get(n) == "x"), "x")
        sizes = {"H": "ds.h.shape[-1]", "D": f"{x}.shape[-1]"}
        return method(head, [*body, *lengths(lines, sizes), *lines])

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
