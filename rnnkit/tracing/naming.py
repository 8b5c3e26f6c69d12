"""What gradients are called: dc, where the author calls something c."""

from __future__ import annotations

import re
from typing import Final

from rnnkit.tracing.graph import Node
from rnnkit.tracing.reverse import Gradient

SQUASHED: Final = frozenset(("sigmoid", "tanh", "exp", "where", "maximum"))
"""A gate's letter names what goes into these, too, as `di` is usually the gradient of z_i."""


def adjoint_names(found: Gradient) -> dict[Node, list[str]]:
    """Names for the gradients of nodes, the best first."""
    forward = found.graph.nodes
    gates: dict[Node, str] = {}
    for node in forward:
        if node.op in SQUASHED and node.name:
            for x in node.inputs:
                if not x.name or x.name.endswith(node.name):
                    gates.setdefault(x, node.name)
    names: dict[Node, list[str]] = {}
    known = {*found.cotangents.values(), *forward}
    for node in reversed([*found.graph.inputs.values(), *forward]):
        d = found.adjoints.get(node)
        if d is None or d in known:
            continue
        if node.name.startswith("p."):
            continue
        candidates = names.setdefault(d, [])
        for name in (gates.get(node, ""), node.name, _of_product(node)):
            word = plain(name)
            if word and f"d{word}" not in candidates:
                candidates.append(f"d{word}")
    for candidates in names.values():
        if {"dzx", "dzh"} <= set(candidates):
            candidates.insert(0, "dz")
    return {d: candidates for d, candidates in names.items() if candidates}


def _of_product(node: Node) -> str:
    """`rh`, of r h."""
    if node.op not in ("multiply", "matmul"):
        return ""
    parts = [x.name.rpartition(".")[2] for x in node.inputs]
    return "".join(parts) if all(parts) else ""


def plain(name: str) -> str:
    """A name as one word: `s.c` is `c_prev`, `x.z` is `x_z`."""
    if name.startswith("s."):
        return f"{name[2:]}_prev".replace(".", "_")
    return re.sub(r"\W+", "_", name).strip("_")
