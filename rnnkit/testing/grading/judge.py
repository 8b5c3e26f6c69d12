"""The judge: calls a submission's functions from outside, and compares what comes back with the solution."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from rnnkit.errors import CourseError
from rnnkit.kinds import Array
from rnnkit.testing.examine import Finding, examine
from rnnkit.testing.example import Broken, seeded
from rnnkit.testing.functions.arguments import Arguments
from rnnkit.testing.functions.assignment import Assignment, Task
from rnnkit.testing.functions.finding import Found
from rnnkit.testing.functions.settings import settings
from rnnkit.testing.functions.values import beside_solution, outputs_of, with_label
from rnnkit.testing.grading.remote import Ended, Functions
from rnnkit.testing.grading.verdicts import Part
from rnnkit.testing.pairs import GATES, Pair, scaled

ENDED: Final = "its process ended, or took too much"
COMMON: Final = 20_590
"""The seed of inputs at which all wrong answers of a class are compared with each other."""

_IN_WORDS: Final = {
    "runs": "it raises an error",
    "written": "not written yet",
    "types": "not float64",
    "finite": "numbers that are not finite",
    "shapes": "another shape",
    "returns": "returns something else",
    "reached": "an input is not used",
    "inputs unchanged": "changes its inputs in place",
    "stale cache": "what backward needs is not in the cache, or is changed there",
}
"""Laws that are broken, on the teacher's page."""


class TaskJudge(abc.ABC):
    """Judges one task: what it computes, and the derivative of that.

    Args:
        task: what is to be computed.
        seed: of all random inputs.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self._task, self._seed = task, seed

    def value(self, of: Functions) -> Part:
        """Whether a submission computes what the solution does.

        Raises:
            Ended: the process of the submission has ended.
        """
        try:
            finding = self._value(of)
        except Broken as e:
            finding = Finding(broken=e.law, text=e.text)
        return part(self._task.value, finding)

    def gradient(self, of: Functions) -> Part:
        """Whether its way back is the derivative of its own way ahead, by the laws of gradcheck.

        Raises:
            Ended: the process of the submission has ended.
        """
        return part(self._task.gradient, self._gradient(of))

    @abc.abstractmethod
    def alike(self, of: Functions) -> str:
        """A digest of what it computes at inputs that are the same for everybody; nothing if there is none."""

    @abc.abstractmethod
    def _value(self, of: Functions) -> Finding: ...

    @abc.abstractmethod
    def _gradient(self, of: Functions) -> Finding: ...


class Judge(TaskJudge):
    """Judges the functions of one task.

    Args:
        assignment: that it is of.
        task: what is to be computed.
        seed: of all random inputs.
    """

    def __init__(self, assignment: Assignment, task: Task, seed: int) -> None:
        super().__init__(task, seed)
        self._solution = assignment.solved(task)
        self._table = Arguments.standard().before(task.arguments)

    def alike(self, of: Functions) -> str:
        try:
            setting = next(self._settings(COMMON))
            pair = self._pair(of, setting.arguments)
            outputs, cache = pair.run(pair.leaves)
            draw = seeded("cotangents", COMMON)
            cotangents = {k: draw.standard_normal(np.shape(y)) for k, y in outputs.items()}
            gradients = pair.run_back(pair.leaves, cotangents, cache) if self._task.gradient else {}
            return digest({**outputs, **{f"d{k}": g for k, g in gradients.items()}})
        except Exception:  # what it computes need not be numbers
            return ""

    def _settings(self, seed: int) -> Any:
        assert self._solution.forward is not None
        return settings(self._solution.forward, self._table, seed, self._task.options or {})

    def _pair(self, of: Functions, arguments: Mapping[str, Any]) -> Pair:
        return Pair(of.forward, scaled if self._task.loss else of.backward, arguments)

    def _value(self, of: Functions) -> Finding:
        def compute(arguments: Mapping[str, Any]) -> dict[str, Array]:
            return outputs_of(Found("", of.forward, is_loss=self._task.loss), arguments)

        for setting in self._settings(self._seed):
            finding = beside_solution(self._solution, setting, compute)
            if not finding.ok:
                return finding
        return Finding()

    def _gradient(self, of: Functions) -> Finding:
        if not self._task.loss and not of.parameters:
            return Finding(broken="written", text="there is no backward function")
        for setting in self._settings(self._seed):
            pair = self._pair(of, setting.arguments)
            finding = examine(pair.example(GATES), seeded("pair", self._seed))
            if not finding.ok:
                return with_label(finding, setting.label)
            flat = [name for name, reached in finding.reached.items() if not reached]
            if flat:
                text = f"no output depends on {', '.join(flat)}, so there is nothing to derive"
                return Finding(broken="reached", text=text)
        return Finding()


def part(points: float, finding: Finding) -> Part:
    """Points for what was found.

    Raises:
        Ended: what was found is that the process of the submission has ended.
    """
    if finding.ok:
        return Part(points, right=True)
    if isinstance(finding.text, str) and Ended.__name__ in finding.text.partition(":")[0]:
        raise Ended(finding.text.partition(": ")[2].rpartition(" [")[0])
    return Part(points, text=f"{finding.broken}: {finding.text}", patterns=patterns(finding))


def patterns(finding: Finding) -> tuple[str, ...]:
    """What is wrong, in a few words each."""
    if finding.broken == "gradient":
        hints = {leaf.hint for leaf in finding.leaves if leaf.hint}
        own = {hint for hint in hints if not hint.startswith("it follows from")}
        return tuple(sorted(own or hints)) or ("no known pattern",)
    if finding.broken == "value":
        lines = finding.text.splitlines()
        hints = {line.rpartition("; ")[2] for line in lines if "WRONG" in line and "; " in line}
        own = {line.strip() for line in lines[1:] if "WRONG" not in line and "  right" not in line}
        return tuple(sorted(hints | own)) or ("other values",)
    return (_IN_WORDS.get(str(finding.broken), str(finding.broken)),)


def digest(arrays: Mapping[str, Array]) -> str:
    """Of arrays by name, to seven digits."""
    whole = hashlib.sha256()
    for a in arrays.values():
        rounded = [f"{x:.6e}" for x in np.asarray(a, float).ravel()]
        whole.update(f"{np.shape(a)} {rounded}".encode())
    return whole.hexdigest()[:16]


def unread(task: Task, text: str) -> tuple[Part, Part | None]:
    """No points for a task, for one reason."""
    parts = Part(task.value, text=text, patterns=(_why(text),))
    gradient = Part(task.gradient, text=text, patterns=parts.patterns) if task.gradient else None
    return parts, gradient


def _why(text: str) -> str:
    head = text.partition(":")[0]
    return "it cannot be imported" if "importing" in text[:20] else {"ended": ENDED}.get(head, head)


def solvable(assignment: Assignment) -> None:
    """That an assignment's own solution is right.

    Raises:
        CourseError: it is not; with what is wrong.
    """
    from rnnkit.testing.functions.targets import of_module
    from rnnkit.testing.report import explain
    from rnnkit.testing.targets import run

    if all(task.is_plugin for task in assignment.tasks):
        return
    for target in of_module(assignment.module(), assignment.solution, assignment):
        report = run(target)
        if not report.ok:
            raise CourseError(f"the solution of {assignment.name} is wrong:\n{explain(report, 0)}")
