"""Arithmetic on nodes as it is written on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from rnnkit.tracing.graph import Node

Make: TypeAlias = Callable[..., Node]
"""Makes a node of an operation's name, its inputs and its attributes."""


@attrs.frozen
class Term:
    """A node that can be computed with: `d * (1.0 - y**2)` makes the nodes of that."""

    make: Make
    node: Node

    def of(self, op: str, *others: Any, **attributes: Any) -> Term:
        """An operation with this as its first input."""
        return Term(self.make, self.make(op, self.node, *map(_plain, others), **attributes))

    def _after(self, op: str, other: Any) -> Term:
        return Term(self.make, self.make(op, _plain(other), self.node))

    def __add__(self, other: Any) -> Term:
        return self.of("add", other)

    def __radd__(self, other: Any) -> Term:
        return self._after("add", other)

    def __sub__(self, other: Any) -> Term:
        return self.of("subtract", other)

    def __rsub__(self, other: Any) -> Term:
        return self._after("subtract", other)

    def __mul__(self, other: Any) -> Term:
        return self.of("multiply", other)

    def __rmul__(self, other: Any) -> Term:
        return self._after("multiply", other)

    def __truediv__(self, other: Any) -> Term:
        return self.of("divide", other)

    def __rtruediv__(self, other: Any) -> Term:
        return self._after("divide", other)

    def __pow__(self, other: Any) -> Term:
        return self.of("power", other)

    def __matmul__(self, other: Any) -> Term:
        return self.of("matmul", other)

    def __neg__(self) -> Term:
        return self.of("negative")

    def where(self, yes: Any, no: Any) -> Term:
        """yes where this is true, no elsewhere."""
        return self.of("where", yes, no)

    def exp(self) -> Term:
        """e to the power of it."""
        return self.of("exp")


def _plain(x: Any) -> Any:
    return x.node if isinstance(x, Term) else x
