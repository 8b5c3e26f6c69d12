"""The way back of a layer, an activation or a loss, derived from its way forward and written as source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rnnkit.errors import TraceError
from rnnkit.kinds.activation import Activation
from rnnkit.kinds.arrays import NoParams, named_arrays
from rnnkit.kinds.layer import Layer
from rnnkit.kinds.lifted import lifted
from rnnkit.kinds.loss import Loss
from rnnkit.kinds.source import (
    Source,
    array_type,
    cache_class,
    constructor,
    field_names,
    holders,
    lengths,
    letters_of,
    method,
    signature,
)
from rnnkit.kinds.traced import MASKED, ActivationTrace, LayerTrace, LossTrace
from rnnkit.tracing import Graph, Node, Sizes, trace
from rnnkit.tracing.graph import Scope
from rnnkit.tracing.layout import wrapped
from rnnkit.tracing.naming import adjoint_names
from rnnkit.tracing.reverse import gradient
from rnnkit.tracing.saving import to_save
from rnnkit.tracing.simplify import strong
from rnnkit.tracing.source import Writer
from rnnkit.tracing.written import Words

SIZES: Final[Sequence[Sizes]] = tuple(
    {"N": n, "D": d, "H": h} for n, d, h in ((3, 4, 5), (4, 4, 5), (4, 6, 5), (4, 6, 7), (5, 9, 11))
)
"""Each length changes alone once, and at last all do: source is for any of them."""

WIDE: Final[Sequence[Sizes]] = tuple({**s, "D": 12 * s["D"], "H": 12 * s["H"]} for s in SIZES)
"""Widths that are multiples of most numbers."""

SCORES: Final[Sequence[Sizes]] = (*MASKED, {"N": 8, "K": 5, "H": 7})


def activation_source(activation: Activation) -> Source:
    """Derive the way back of an activation: from y or another array that it has a name for, or from its slope.

    Raises:
        TraceError: it cannot be traced, or has no derivative that is known; with the line.
    """
    made = ActivationTrace(lifted(activation))
    graph = trace(made.run, made.draw, SIZES)
    live = _Live(graph, type(activation).forward)
    found = gradient(graph)
    dx = found.gradients["x"]
    if dx is None:
        raise TraceError(f"{graph.outputs['y'].place}: y does not depend on x")
    head = signature("backward", ["self", "dy: Array", "saved: Array"], "Array")
    saved = live.saved([dx], set(found.cotangents.values()))
    if len(saved) > 1 or any(n.dtype.kind != "f" for n in saved):
        slope = gradient(graph, ones=True).gradients["x"]
        assert slope is not None
        before, (keeping,) = live.write([slope], "x.real.dtype")
        if not strong(slope):
            keeping = f"{keeping}.astype(x.real.dtype)"
        back = method(head, ["return dy * saved"])
    else:
        before, said = live.write(saved, "x.real.dtype")
        keeping = said[0] if said else "x"
        given = {**dict.fromkeys(saved, "saved"), found.cotangents["y"]: "dy"}
        names = {n: said for n, said in adjoint_names(found).items() if n is not dx}
        writer = Writer(given, Words({}, "dy.dtype"), names)
        (end,) = writer.write([dx])
        back = method(head, [*writer.lines, f"return {end}"])
    return Source("", "Array", back, live.line, before, keeping, {})


def layer_source(layer: Layer[Any, Any, Any], name: str = "") -> Source:
    """Derive the way back of a layer, for any axes in front of the last one.

    Args:
        layer: with its options.
        name: of the class of the cache; else that of the layer and `Cache`.

    Raises:
        TraceError: it cannot be traced, or has no derivative that is known; with the line.
    """
    if layer.random:
        raise TraceError(
            f"{type(layer).__name__} does something else in training, which is not derived: write its way back"
        )
    made = LayerTrace(lifted(layer), training=False)
    try:
        graph = trace(made.run, made.draw, SIZES)
    except TraceError:  # widths that the layer can have may be further apart
        graph = trace(made.run, made.draw, WIDE)
    return _LayerDeriving(layer, made, graph, name).source()


def loss_source(loss: Loss) -> Source:
    """Derive the gradient of a loss, to be returned beside it.

    Raises:
        TraceError: it cannot be traced, or has no derivative that is known; with the line.
    """
    made = LossTrace(lifted(loss))
    graph = trace(made.value, made.draw, SCORES)
    found = gradient(graph, ["loss"], ["scores"], ones=True).gradients["scores"]
    if found is None:
        raise TraceError(f"{graph.outputs['loss'].place}: the loss does not depend on the scores")
    live = _Live(graph, type(loss).evaluate)
    letters = {"N": "len(scores)", "K": "np.count_nonzero(mask)", "H": "scores.shape[-1]"}
    before, (keeping,) = live.write([found], "scores.dtype", letters)
    return Source("", "Array", "", live.line, before, keeping, {})


class _Live:
    """What has a name where a way forward returns."""

    def __init__(self, graph: Graph, function: Any) -> None:
        scope = graph.scopes.get(function.__code__, Scope(0, {}))
        self.graph, self.line = graph, scope.line
        self.names: dict[Node, str] = {}
        for said, node in sorted(scope.names.items(), key=lambda item: not item[0].isidentifier()):
            self.names.setdefault(node, said)

    def saved(self, ends: Sequence[Node], free: set[Node]) -> list[Node]:
        """What the way back needs of the way forward."""
        nodes = sorted({*self.graph.nodes, *self.graph.inputs.values()}, key=lambda n: n.number)
        return to_save(ends, nodes, free, lambda n: n in self.names or n.op == "input")

    def write(
        self, ends: Sequence[Node], dtype: str, letters: Mapping[str, str] | None = None
    ) -> tuple[tuple[str, ...], list[str]]:
        """Lines in front of the author's `return`, and the expressions of nodes there."""
        writer = Writer(self.names, Words(letters or {}, dtype), {})
        said = writer.write(ends, in_turn=True)
        return tuple(writer.lines), said


class _LayerDeriving:
    def __init__(self, layer: Any, made: LayerTrace, graph: Graph, name: str) -> None:
        self.layer, self.made, self.graph = layer, made, graph
        self.live = _Live(graph, type(layer).forward)
        self.found = gradient(graph)
        self.gradients = {n: g for n, g in self.found.gradients.items() if g is not None}
        self.given = {node: n for n, node in graph.inputs.items() if n.startswith("p.")}
        free = {*self.given, *self.found.cotangents.values()}
        self.saved = self.live.saved(list(self.gradients.values()), free)
        self.fields = field_names(self.saved)
        many = f"{type(layer).__name__}Cache"
        single = array_type(self.saved[0]) if self.saved else "None"
        self.kept = (name or many) if len(self.saved) > 1 else single

    def source(self) -> Source:
        letters = letters_of(self.live.names)
        before, said = self.live.write(self.saved, "x.dtype", letters)
        many = len(self.saved) > 1
        keeping = f"{self.kept}({', '.join(said)})" if many else said[0] if said else "None"
        return Source(
            cache_class(self.kept, self.fields) if many else "",
            self.kept,
            self._back(),
            self.live.line,
            before,
            keeping,
            {type(a).__name__: type(a) for a in holders(self.made.p)},
        )

    def _back(self) -> str:
        p, tokens = type(self.made.p).__name__, self.layer.tokens
        head = signature(
            "backward",
            ["self", f"p: {p}", "dy: Array", f"cache: {self.kept}"],
            f"tuple[{'None' if tokens else 'Array'}, {p}]",
        )
        flat, given = self._flattened()
        writer = Writer(
            {**self.given, **given},
            Words({"N": "N", "H": "H", "D": "D"}, "dy.dtype"),
            adjoint_names(self.found),
        )
        said = dict(zip(self.gradients, writer.write(list(self.gradients.values())), strict=True))
        zeros = {f"p.{n}": f"np.zeros_like(p.{n})" for n in _names(self.made.p)}
        dx = "None" if tokens else said.get("x", "np.zeros_like(x)")
        lead = dx != "None" and self._mixes()
        if lead:
            dx = f"{dx if dx.isidentifier() else f'({dx})'}.reshape(*lead, -1)"
        dp = (
            "p"
            if isinstance(self.made.p, NoParams)
            else constructor(self.made.p, {**zeros, **said}, "p.")
        )
        lines = writer.lines
        if len(f"return {dx}, {dp}") > 88 and dp != "p":
            lines, dp = [*lines, *wrapped(f"dp = {dp}")], "dp"
        lines = [*lines, f"return {dx}, {dp}"]
        first = ["lead = dy.shape[:-1]"] * lead
        sizes = letters_of({**given, **self.given})
        return method(head, [*first, *flat, *lengths(lines, sizes), *lines])

    def _mixes(self) -> bool:
        """Whether the way back sums over positions, or multiplies them, so that all must be in one row."""
        if self.gradients.keys() - {"x"}:
            return True
        return any(n.op in ("matmul", "reshape", "transpose") for n in self.found.adjoints.values())

    def _flattened(self) -> tuple[list[str], dict[Node, str]]:
        """Lines that put all positions in one axis, and what arrays are called then."""
        many, lines = len(self.saved) > 1, []
        given = {self.found.cotangents["y"]: "dy"}
        fields = {n: f"cache.{f}" if many else "cache" for n, f in self.fields.items()}
        if not self._mixes():
            return [], {**given, **fields}
        lines.append("dy = dy.reshape(-1, dy.shape[-1])")
        for node, field in self.fields.items():
            rest = ", ".join(f"{fields[node]}.shape[{k}]" for k in range(1 - len(node.shape), 0))
            lines.append(
                f"{field} = {fields[node]}.reshape({', '.join(filter(None, ['-1', rest]))})"
            )
            given[node] = field
        return lines, given


def _names(p: Any) -> list[str]:
    return [name for name, _ in named_arrays(p)]
