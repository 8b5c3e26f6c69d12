"""A loop of ONNX that takes a step until no row is live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from rnnkit.captioning.exporting.onnx.scope import Scope, port

LIVE: Final = "live"
"""What is carried under this name says of each row whether it goes on."""


@attrs.frozen
class Carried:
    """An array that each step takes and gives.

    Attributes:
        kind: of its numbers, a key of `TYPES`.
        first: the name of what the first step takes.
    """

    kind: str
    first: str


class Loop:
    """A loop under construction: put nodes into `body`, then `run` it.

    Attributes:
        body: the nodes of a step.
        step: in the body, the number of the step, from 0.
        before: in the body, what is carried there from the step before, by name.
    """

    def __init__(self, scope: Scope, carried: Mapping[str, Carried]) -> None:
        self.body = Scope(scope)
        self.step = self.body.name("step")
        self.before = {name: self.body.name(f"before_{name}") for name in carried}
        self._scope, self._carried = scope, carried

    def run(self, after: Mapping[str, str], limit: int) -> dict[str, str]:
        """Close the body, and run it: the names of what the last step gave.

        Args:
            after: in the body, what is carried to the next step, by name.
            limit: the most steps.
        """
        body, carried = self.body, self._carried
        still = _any(body, after[LIVE])
        ends = {name: body.op("Identity", after[name]) for name in carried}
        graph = body.graph(
            "one_step",
            [
                port(self.step, "i", []),
                port(body.name("on"), "b", []),
                *(port(self.before[name], one.kind, None) for name, one in carried.items()),
            ],
            [
                port(still, "b", []),
                *(port(ends[name], one.kind, None) for name, one in carried.items()),
            ],
            whole=False,
        )
        on = _any(self._scope, carried[LIVE].first)
        firsts = [one.first for one in carried.values()]
        inputs = [self._scope.const(limit), on, *firsts]
        return dict(
            zip(carried, self._scope.ops("Loop", inputs, len(carried), body=graph), strict=True)
        )


def _any(scope: Scope, truths: str) -> str:
    """Whether any is true; none is, of no rows."""
    count = scope.op("ReduceSum", scope.cast(truths, "b", "i"), keepdims=0)
    return scope.op("Greater", count, scope.const(0))
