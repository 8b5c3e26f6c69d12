"""Makes the nodes of a graph, the simplest that compute the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rnnkit.tracing.graph import WORKING, Node, compute
from rnnkit.tracing.rounded import simpler_rounded
from rnnkit.tracing.simplify import simpler
from rnnkit.tracing.sizes import Power, Size, Sizes, at_sizes, common, size_of


class Builder:
    """Makes nodes, each one once: asked for what there is, it gives that.

    Args:
        examples: the sizes at which every node is computed as it is made.
        known: nodes that there are.
        exact: whether to compute the same bits as what is asked for; else the same up to rounding.
    """

    def __init__(
        self, examples: tuple[Sizes, ...], known: Iterable[Node] = (), *, exact: bool = True
    ) -> None:
        self.examples = examples
        self.exact = exact
        self._made = {_key(node): node for node in known}
        last = max((node.number for node in self._made.values()), default=-1)
        self._numbers = itertools.count(last + 1)

    def make(self, op: str, *inputs: Node | float, **attributes: Any) -> Node:
        """The result of an operation on nodes and numbers."""
        given = tuple(x if isinstance(x, Node) else self.number(x) for x in inputs)
        values = tuple(
            self._value(op, attributes, [n.values[i] for n in given], sizes)
            for i, sizes in enumerate(self.examples)
        )
        return self._known(op, given, attributes, values)

    def seen(
        self,
        op: str,
        inputs: tuple[Node, ...],
        attributes: Sequence[Mapping[str, Any]],
        values: tuple[Any, ...],
    ) -> Node:
        """The node of an operation that was seen at each of the sizes.

        Raises:
            ValueError: its attributes depend on the sizes in a way that is not known.
        """
        if op == "constant":
            return self._constant([a["value"] for a in attributes])
        merged = {key: common([a[key] for a in attributes], self.examples) for key in attributes[0]}
        return self._known(op, inputs, merged, values)

    def number(self, value: float | Size | Power) -> Node:
        """The node of a Python number."""
        values = tuple(at_sizes(value, sizes) for sizes in self.examples)
        return self._known("constant", (), {"value": value}, values)

    def length(self, seen: Sequence[int]) -> int | Size:
        """What is this long at the sizes.

        Raises:
            ValueError: it does not depend on them in a way that is known.
        """
        found = size_of(seen, self.examples)
        if found is None:
            raise ValueError(f"a length is {seen[0]}, and {seen[-1]} at other sizes")
        return found

    def lengths(self, length: int | Size) -> list[int]:
        """How long it is at each of the sizes."""
        return [at_sizes(length, sizes) for sizes in self.examples]

    def _constant(self, seen: Sequence[Any]) -> Node:
        """A number, an array, or one that is as long as there are rows.

        Raises:
            ValueError: it differs, and not in this way.
        """
        first = seen[0]
        if not isinstance(first, np.ndarray):
            return self._known("constant", (), {"value": common(seen, self.examples)}, tuple(seen))
        if all(
            a.shape == first.shape and np.array_equal(a, first, equal_nan=first.dtype.kind in "fc")
            for a in seen
        ):
            return self._known("constant", (), {"value": first}, tuple(seen))
        shape = common([a.shape for a in seen], self.examples)
        values = {a.flat[0].item() for a in seen if a.size}
        if len(values) == 1 and all((a == a.flat[0]).all() for a in seen):
            return self.make("full", values.pop(), shape=shape, dtype=first.dtype)
        counts = [np.arange(a.size).reshape(a.shape) for a in seen]
        if all(np.array_equal(a, b) for a, b in zip(seen, counts, strict=True)):
            stop = common([a.size for a in seen], self.examples)
            made = self.make("arange", start=0, stop=stop, step=1)
            return made if first.ndim == 1 else self.make("reshape", made, shape=shape)
        raise ValueError(f"an array {first.shape} of constants")

    def _value(
        self, op: str, attributes: Mapping[str, Any], inputs: Sequence[Any], sizes: Sizes
    ) -> Any:
        with np.errstate(all="ignore"):
            return compute(op, attributes, inputs, sizes, WORKING)

    def _known(
        self,
        op: str,
        inputs: tuple[Node, ...],
        attributes: Mapping[str, Any],
        values: tuple[Any, ...],
    ) -> Node:
        node = Node(op, inputs, attributes, self._shape(values), values, next(self._numbers))
        found = simpler(self.make, node)
        if found is node and not self.exact:
            found = simpler_rounded(self.make, node) or node
        return self._made.setdefault(_key(found), found)

    def _shape(self, values: Sequence[Any]) -> tuple[int | Size, ...]:
        return tuple(map(self.length, zip(*(np.shape(v) for v in values), strict=True)))


def _key(node: Node) -> Any:
    """What tells one operation from another."""
    return (node.op, node.inputs, _hashable(node.attributes))


def _hashable(value: Any) -> Any:
    """What tells one attribute from another."""
    if isinstance(value, Mapping):
        return tuple((key, _hashable(v)) for key, v in sorted(value.items()))
    if isinstance(value, tuple):
        return tuple(map(_hashable, value))
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, float):
        return (getattr(value, "text", "float"), value.hex())
    return (type(value).__name__, value)
