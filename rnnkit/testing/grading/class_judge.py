"""The judge of a plugin class: the harness's cases, computed by the submission, beside the plugin that it must agree with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import numpy as np

from rnnkit.testing.examine import Finding, examine
from rnnkit.testing.example import Broken, Example, Leaves, copied, seeded
from rnnkit.testing.functions.assignment import Assignment, Task
from rnnkit.testing.functions.values import compared, with_label
from rnnkit.testing.grading.judge import COMMON, TaskJudge, digest
from rnnkit.testing.grading.plugins import MOST, cases_of, drawn
from rnnkit.testing.grading.remote import Functions


class ClassJudge(TaskJudge):
    """Judges one plugin class.

    Args:
        assignment: that it is of.
        task: which class is to be written.
        seed: of all random inputs.
    """

    def __init__(self, assignment: Assignment, task: Task, seed: int) -> None:
        super().__init__(task, seed)
        every = cases_of(assignment.plugin(task))
        usual = [case for case in every.values() if case.core] or list(every.values())
        self._cases = usual[:MOST]

    def _gradient(self, of: Functions) -> Finding:
        for case, example in self._examples(self._seed):
            mine = attrs.evolve(
                example,
                forward=_forward(of, case),
                backward=_backward(of, example),
                laws=(),
                named=lambda cache: {},
                single="skip",
                traceable=None,
            )
            finding = examine(mine, seeded("pair", self._seed))
            if not finding.ok:
                return with_label(finding, case)
        return Finding()

    def alike(self, of: Functions) -> str:
        try:
            case, example = next(self._examples(COMMON))
            outputs, _ = _forward(of, case)(copied(example.leaves))
            return digest(outputs)
        except Exception:  # what it computes need not be numbers
            return ""

    def _examples(self, seed: int) -> Iterator[tuple[str, Example]]:
        # What a case draws beside its leaves, as the targets of a loss, is drawn by the submission, too.
        for case in self._cases:
            example = drawn(case, self._seed)
            if seed != self._seed:
                leaves = drawn(case, seed).leaves
                example = (
                    attrs.evolve(example, leaves=leaves) if _alike(leaves, example) else example
                )
            yield case.id, example

    def _value(self, of: Functions) -> Finding:
        for case, example in itertools.islice(self._examples(self._seed), MOST):
            wanted, _ = example.forward(copied(example.leaves))
            got, _ = _forward(of, case)(copied(example.leaves))
            if set(got) != set(wanted):
                text = f"its outputs are {sorted(got)}; they must be {sorted(wanted)}"
                return Finding(broken="value", text=text)
            finding = compared({k: got[k] for k in wanted}, list(wanted.values()), "it must be")
            if not finding.ok:
                return with_label(finding, case)
        return Finding()


def _alike(leaves: Leaves, example: Example) -> bool:
    return {k: a.shape for k, a in leaves.items()} == {
        k: a.shape for k, a in example.leaves.items()
    }


def _forward(of: Functions, case: str) -> Any:
    def forward(at: Leaves) -> tuple[Mapping[str, Any], Any]:
        returned = of.forward(case=case, **at)
        if not isinstance(returned, tuple) or not isinstance(returned[0], dict):
            raise Broken("returns", "it returns something else than arrays", "forward")
        return returned[0], returned[1]

    return forward


def _backward(of: Functions, example: Example) -> Any:
    def backward(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        found = of.backward(*cotangents.values(), cache)
        if not isinstance(found, dict):
            raise Broken("returns", "it returns something else than gradients")
        return {k: np.asarray(found.get(k)) for k in example.leaves}

    return backward
