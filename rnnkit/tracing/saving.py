"""What the way forward has to keep for the way back, and what is better computed again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from rnnkit.tracing.graph import Node
from rnnkit.tracing.source import needed

CHEAP: Final = frozenset(
    (
        *(
            "negative",
            "positive",
            "real",
            "add",
            "subtract",
            "multiply",
            "getitem",
            "transpose",
            "reshape",
        ),
        *(
            "broadcast_to",
            "astype",
            "concatenate",
            "full",
            "constant",
            "arange",
            "equal",
            "not_equal",
            "less",
        ),
        *(
            "less_equal",
            "greater",
            "greater_equal",
            "logical_not",
            "logical_and",
            "logical_or",
            "invert",
            "bitwise_and",
            "bitwise_or",
        ),
        *(
            "sign",
            "where",
        ),
    )
)
"""Operations that take little more time than to read what they gave."""


def to_save(
    ends: Iterable[Node],
    forward: Collection[Node],
    free: Collection[Node],
    handy: Callable[[Node], bool],
) -> list[Node]:
    """The nodes of the way forward to keep, in its order.

    Args:
        ends: what the way back has to compute.
        forward: every node of the way forward, each after its inputs.
        free: what the way back has anyway.
        handy: whether a node has a name, or is an array that costs nothing to keep.
    """
    of_forward = set(forward)
    used: set[Node] = set()
    for node in needed(ends, dict.fromkeys([*of_forward, *free])):
        used.update(i for i in node.inputs if i in of_forward and i not in free)
    used.update(end for end in ends if end in of_forward and end not in free)
    used -= {node for node in used if _from(node, free)}
    saved = {node for node in used if handy(node) or node.op not in CHEAP}

    def can(node: Node) -> bool:
        """Whether it can be computed again from what is kept."""
        if node in saved or node in free or (node.op == "input" and handy(node)):
            return True
        return node.op in CHEAP and all(map(can, node.inputs))

    for node in forward:
        if node in used and node not in saved and not can(node):
            saved.add(node)
    again = needed(used, dict.fromkeys([*saved, *free]))
    saved.update(node for node in again if node.op == "input")
    return [node for node in forward if node in saved]


def _from(node: Node, free: Collection[Node]) -> bool:
    """Whether it is cheap to compute from what is there anyway."""
    return node in free or (
        node.op in CHEAP and node.op != "full" and all(_from(i, free) for i in node.inputs)
    )
