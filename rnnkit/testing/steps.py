"""Which steps in time a wrong gradient comes from: the way back may be cut, or a sum over the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rnnkit.testing.example import Example, copied
from rnnkit.testing.patterns import Gap
from rnnkit.testing.views import View


def told(
    example: Example,
    name: str,
    whole: View,
    gap: Callable[[View], Gap],
    wrong_leaves: Sequence[str],
) -> str:
    """Which steps of the outputs' second axis the wrong part comes from, if not from all alike."""
    if not all(any(np.any(c) for c in step.cotangents.values()) for step in whole.steps):
        return ""
    gaps = [gap(step) for step in whole.steps]
    wrong = [t for t, one in enumerate(gaps) if one.wrong]
    if not 0 < len(wrong) < len(gaps):
        return ""
    inputs = inputs_in_time(example, whole)
    if inputs and wrong == list(range(1, len(gaps))):
        if name not in inputs and not any(leaf in wrong_leaves for leaf in inputs):
            return (
                "right for what comes from step 0 alone: the sum over the steps is wrong or missing"
            )
        way = (
            "right for what comes from step 0 alone: the way from a step back to the one before is"
        )
        before = [one.given[:, :t] if name in inputs else one.given for t, one in enumerate(gaps)]
        if not any(np.any(a) for a in before[1:]):
            return f"{way} missing"
        return f"{way} wrong" if name in inputs else f"{way} wrong or missing"
    which = f"step{'s' if len(wrong) > 1 else ''} {', '.join(map(str, wrong))}"
    if any(np.any(gaps[t].given) for t in wrong):
        return f"only what comes from {which} is wrong"
    return f"nothing comes back from {which}"


def inputs_in_time(example: Example, whole: View) -> list[str]:
    """Leaves with a step for each of the outputs' steps, whose steps have an effect on later outputs."""
    outputs, _ = example.forward(copied(example.leaves))
    shapes = {np.shape(y)[:2] for y in whole.cotangents.values()}
    found = []
    for name, leaf in example.leaves.items():
        if leaf.ndim > 2 and shapes == {leaf.shape[:2]}:
            moved = copied(example.leaves)
            moved[name][:, 0] += 1.0
            after, _ = example.forward(moved)
            if any(np.any(after[k][:, 1:] != y[:, 1:]) for k, y in outputs.items()):
                found.append(name)
    return found
