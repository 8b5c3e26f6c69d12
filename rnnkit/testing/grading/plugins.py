"""Plugin classes of a submission: the cases of the harness as a pair of functions, at arrays that come from outside.

This is imported in the process of a submission, where only the kinds of plugins are to be had, and by the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from rnnkit.kinds import Array, Plugin
from rnnkit.testing.cases import differentiable_cases
from rnnkit.testing.example import Case, Example, copied, equal_bits, seeded

MOST: Final = 4
"""Cases that a class is judged by."""


def cases_of(cls: type[Plugin]) -> dict[str, Case]:
    """The cases of a class with its default options, by their names; those at usual numbers alone."""
    return {case.id: case for case in differentiable_cases(cls())}


def drawn(case: Case, seed: int) -> Example:
    """The example of a case; the same for the judge and for a submission."""
    return case.draw(seeded(case.id, seed))


def pair(cls: type[Plugin], seed: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Forward and backward of a class: forward takes the name of a case and its leaves.

    Args:
        cls: of the submission.
        seed: of what a case draws beside its leaves.
    """
    cases = cases_of(cls)
    examples: dict[str, Example] = {}

    def forward(case: str, **leaves: Array) -> tuple[dict[str, Array], Any]:
        if case not in examples:
            examples[case] = drawn(cases[case], seed)
        example = examples[case]
        if set(leaves) != set(example.leaves):
            raise TypeError(f"it has the arrays {sorted(example.leaves)}, not {sorted(leaves)}")
        own = copied(leaves)
        outputs, cache = example.forward(own)
        for name in set(own) - example.scratch:
            if not equal_bits(own[name], leaves[name]):
                raise ValueError(f"forward changes its input {name!r} in place")
        return {k: np.asarray(y) for k, y in outputs.items()}, (
            example,
            leaves,
            list(outputs),
            cache,
        )

    def backward(*given: Any) -> Mapping[str, Array]:
        *cotangents, (example, leaves, names, cache) = given
        found: Mapping[str, Array] = example.backward(
            leaves, dict(zip(names, cotangents, strict=True)), cache
        )
        return dict(found)

    return forward, backward
