"""What a wrong gradient should be, in the author's names; said only where it agrees with the numeric derivative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from rnnkit.errors import TraceError
from rnnkit.kinds import Array
from rnnkit.testing.derivative import magnitude
from rnnkit.testing.diagnosis import Diagnosis, LeafFinding
from rnnkit.testing.examine import Finding, probe
from rnnkit.testing.example import Leaves, Traceable, copied
from rnnkit.tracing.formulas import Formula, Formulas
from rnnkit.tracing.graph import Graph
from rnnkit.tracing.reverse import Gradient, gradient

SAME = 1e-9
"""How far outputs of the graph may be from those of the example, relative to the largest."""


def answered(finding: Finding, diagnosis: Diagnosis | None) -> Finding:
    """An explained finding with what its wrong gradients should be, where that can be derived.

    Args:
        finding: with what was found for each leaf.
        diagnosis: that it was explained by.
    """
    if diagnosis is None or all(leaf.right for leaf in finding.leaves):
        return finding
    return attrs.evolve(finding, answers=tuple(_answers(diagnosis, finding.leaves)))


def _answers(of: Diagnosis, leaves: Sequence[LeafFinding]) -> Iterator[str]:
    traceable = of.judge.example.traceable
    graph = None if traceable is None else _graph(traceable)
    if traceable is None or graph is None:
        return
    try:
        found = gradient(graph, list(of.judge.cotangents), ones=traceable.ones)
    except TraceError:
        return
    derived = _derived(found, of, traceable)
    if derived is None:
        return
    cotangents = of.judge.cotangents
    size = magnitude(of.judge.example.forward(copied(of.judge.example.leaves))[0], cotangents)
    wrong, _ = probe(of.judge, derived, size, of.cache, np.random.default_rng(0))
    for leaf in leaves:
        if leaf.name in wrong and not leaf.right:
            numeric = f"{derived[leaf.name][leaf.place]:.6g} there"
            yield (
                f"rnnkit itself is wrong about {leaf.name}, in one way or another: derived from the forward pass, "
                f"its gradient is {numeric}; please report this to its authors"
            )
    right = [leaf for leaf in leaves if not leaf.right and leaf.name not in wrong]
    formulas = Formulas(found, traceable.function, traceable.called, traceable.letters)
    yield from _said(right, formulas, of.judge.example.gates, traceable.remark)


def _graph(traceable: Traceable) -> Graph | None:
    """The graph of an example; None if it cannot be traced, which is no concern of who asks for its gradient."""
    try:
        return traceable.graph()
    except Exception:  # the code of plugins may raise anything when it is given no arrays
        return None


def _derived(found: Gradient, of: Diagnosis, traceable: Traceable) -> Leaves | None:
    """The derived gradients of an example; None if the graph is not of what it computes, or they are not finite."""
    example, graph = of.judge.example, found.graph
    given = {**traceable.others, **example.leaves}
    if set(graph.inputs) != set(given) or not set(of.judge.cotangents) <= set(graph.outputs):
        return None
    at = {k: _fitted(given[k], len(node.shape)) for k, node in graph.inputs.items()}
    outputs = graph.evaluate(at, np.random.default_rng(traceable.seed))
    wanted, _ = example.forward(copied(example.leaves))
    cotangents = {}
    for k, c in of.judge.cotangents.items():
        if not _same(np.asarray(outputs[k]), _fitted(wanted[k], np.ndim(outputs[k]))):
            return None
        cotangents[k] = _fitted(c, np.ndim(outputs[k]))
    with np.errstate(all="ignore"):
        made = found.evaluate(at, cotangents, np.random.default_rng(traceable.seed))
    times = next(iter(cotangents.values())) if traceable.ones else 1.0
    derived = {k: times * np.reshape(made[k], a.shape) for k, a in example.leaves.items()}
    return derived if all(np.isfinite(d).all() for d in derived.values()) else None


def _fitted(a: Any, ndim: int) -> Array:
    """An array with as many axes: those ahead joined, or more of length 1."""
    shape = np.shape(a)
    if len(shape) > ndim > 0:
        return np.reshape(a, (-1, *shape[len(shape) - ndim + 1 :]))
    return np.reshape(a, (*[1] * (ndim - len(shape)), *shape))


def _same(got: Array, want: Array) -> bool:
    room = SAME * float(np.max(np.abs(want), initial=1.0))
    return got.shape == want.shape and np.allclose(got, want, 0.0, room)


def _said(
    leaves: Sequence[LeafFinding],
    formulas: Formulas,
    gates: Mapping[str, Sequence[str]],
    remark: str,
) -> Iterator[str]:
    """A line for each wrong leaf, or for each of its wrong gates."""
    found: dict[tuple[str, str], Formula] = {}
    for leaf in leaves:
        names = gates.get(leaf.name, ())
        bad = [gate for gate, right in leaf.gates.items() if not right] or [""]
        for gate in bad:
            block = (names.index(gate), len(names)) if gate else (0, 1)
            try:
                formula = formulas.of(leaf.name, block)
            except NotImplementedError:
                continue
            if formula.short:
                found[leaf.name, gate] = formula
    told: set[str] = set()
    for (name, gate), formula in found.items():
        other = {"zx": "zh", "zh": "zx"}.get(name, "")
        both = found.get((other, gate)) == formula
        if both and name == "zh":
            continue
        called = _both(gate, gates["zx"]) if both else _label(name, gate, gates)
        added = f" ({remark})" if remark and name.startswith("p.") else ""
        new = [said for said in formula.where if said not in told]
        told |= set(new)
        if formula.text == called:  # made in statements
            said = f"made by {'; '.join(formula.where)}"
        else:
            said = formula.text + (f", where {'; '.join(new)}" if new else "")
        yield f"{called} should be {said}{added}"


def _label(leaf: str, gate: str, gates: Mapping[str, Sequence[str]]) -> str:
    """What the gradient of a leaf, or of a gate of it, is called."""
    if leaf.startswith("s."):
        return f"d{leaf[2:].replace('.', '_')}_prev"
    return f"d{leaf}[{gate}]" if len(gates.get(leaf, ())) > 1 and gate else f"d{leaf}"


def _both(gate: str, gates: Sequence[str]) -> str:
    """What the gradients of zx and zh are called where they are one."""
    if len(gates) == 1:
        return "dz"
    return f"dz{gate}" if len(gate) == 1 and gate not in "xh" else f"dz[{gate}]"
