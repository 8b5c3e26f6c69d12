"""Counting the multiply-adds of matrix products in what a computation was traced to be, whoever wrote it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from rnnkit.errors import TraceError
from rnnkit.kinds import Array, Layer, Params, named_arrays
from rnnkit.kinds.arrays import with_values
from rnnkit.network import Recurrence
from rnnkit.tracing.recording import Record
from rnnkit.tracing.trace import recorded


def multiply_adds(
    function: Callable[[Mapping[str, Any]], object], arrays: Mapping[str, Any]
) -> int | None:
    """How many multiply-adds the matrix products of a function take; None if it cannot be traced.

    Elementwise arithmetic does not count.

    Args:
        function: of arrays by name.
        arrays: that it is run on.
    """

    def run(at: Mapping[str, Any], _: object) -> dict[str, Any]:
        function(at)
        return {}

    try:
        recorder, _ = recorded(run, arrays, seed=0)
    except TraceError:
        return None
    return sum(
        _count(record, [recorder.nodes[i].value for i in record.inputs])
        for record in recorder.nodes
    )


def layer_work(layer: Layer[Any, Any, Any], params: Params, x: Any) -> int | None:
    """The multiply-adds of a layer on an input, or on tokens."""
    arrays = {"x": x, **{f"p.{name}": a for name, a in named_arrays(params)}}
    return multiply_adds(
        lambda at: layer.forward(with_values(params, at, "p."), at["x"], None), arrays
    )


def step_work(
    rnn: Recurrence[Any, Any, Any], x: Array, h0: Array, context: Array | None = None
) -> int | None:
    """The multiply-adds of a step of a recurrence, from what h0 starts it with, beside a context if there is one."""
    s = rnn.start(h0)
    arrays = {"x": x, **{f"p.{name}": a for name, a in named_arrays(rnn.params)}}
    arrays |= {f"s.{name}": a for name, a in named_arrays(s)}
    if context is not None:
        arrays["context"] = rnn.project_context(context)

    def step(at: Mapping[str, Any]) -> object:
        made = rnn.with_params(with_values(rnn.params, at, "p."))
        return made.advance(made.project(at["x"]), with_values(s, at, "s."), at.get("context"))

    return multiply_adds(step, arrays)


def context_work(rnn: Recurrence[Any, Any, Any], context: Array) -> int | None:
    """The multiply-adds of a context, which are made once for all steps."""
    arrays = {"context": context, **{f"p.{name}": a for name, a in named_arrays(rnn.params)}}

    def project(at: Mapping[str, Any]) -> object:
        made = rnn.with_params(with_values(rnn.params, at, "p."))
        return made.project_context(at["context"])

    return multiply_adds(project, arrays)


def _count(record: Record, inputs: list[Any]) -> int:
    if record.op == "matmul":
        return int(record.value.size) * int(inputs[0].shape[-1])
    if record.op == "einsum":
        return _einsum(int(record.value.size), record.attributes["subscripts"], inputs)
    return 0


def _einsum(out: int, subscripts: str, operands: list[Any]) -> int:
    """Every number of the result is a sum over the letters that it does not have."""
    terms, arrow, result = subscripts.partition("->")
    sizes: dict[str, int] = {}
    for term, operand in zip(terms.split(","), operands, strict=True):
        front, _, back = term.partition("...")
        sizes.update(zip(front, operand.shape, strict=False))
        sizes.update(zip(reversed(back), reversed(operand.shape), strict=False))
    kept = result if arrow else [letter for letter in sizes if terms.count(letter) == 1]
    summed = [size for letter, size in sizes.items() if letter not in kept]
    return out * math.prod(summed) if len(operands) > 1 else 0
