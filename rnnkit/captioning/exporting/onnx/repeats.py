"""`rnnkit.kinds.block_repeats` as a graph."""

from __future__ import annotations

import numpy as np

from rnnkit.captioning.exporting.onnx.scope import LAST, Scope


def block_repeats(scope: Scope, log_probs: str, written: str, size: int) -> str:
    """Log probabilities (n, V), -inf for every token that would be the last of `size` that are there already.

    Args:
        scope: the graph.
        log_probs: of the next token of each row.
        written: (n, t), the tokens of each row so far.
        size: how many in a row never come twice.
    """
    s, axis = scope, scope.const(np.array([1]))

    def cut(begin: str, end: str) -> str:
        return s.op("Slice", written, begin, end, axis)

    # Runs of `size` begin at the places 0 .. t - size; where there is none, all of this is empty.
    t = s.op("Shape", written, start=1, end=2)
    runs = s.op("Max", s.op("Sub", t, s.const(np.array([size - 1]))), s.const(np.array([0])))
    lasts = cut(s.const(np.array([size - 1])), s.const(np.array([LAST])))
    again = s.op("Equal", lasts, lasts)
    for k in range(size - 1):
        at = s.const(np.array([k]))
        now = s.op("Add", runs, at)
        one = cut(now, s.op("Add", now, s.const(np.array([1]))))
        same = s.op("Equal", cut(at, now), one)
        again = s.op("And", again, same)
    penalty = s.op("Where", again, s.const(-np.inf), s.const(0.0))
    return s.op("ScatterElements", log_probs, lasts, penalty, axis=1, reduction="add")
