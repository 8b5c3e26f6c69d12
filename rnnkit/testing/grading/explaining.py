"""What gradcheck says of functions that are wrong: made in the process of the submission, shown, and never counted."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from rnnkit.kinds import Plugin
from rnnkit.testing.answers import answered
from rnnkit.testing.examine import Finding
from rnnkit.testing.functions.arguments import Arguments
from rnnkit.testing.functions.assignment import Task
from rnnkit.testing.functions.checks import Checked
from rnnkit.testing.functions.finding import called
from rnnkit.testing.grading.judge import patterns
from rnnkit.testing.report import describe
from rnnkit.testing.targets import of_class, run

_MOST: Final = 20_000


def explained(module: ModuleType, what: Mapping[str, Any]) -> dict[str, Any]:
    """The text of what is wrong with the gradients of a task, and its patterns.

    Args:
        module: of the submission.
        what: the task's name, its options and arguments, and the seed that the judge has.
    """
    if what["plugin"]:
        return _of_class(getattr(module, what["name"]), what)
    task = Task(
        what["name"], loss=what["loss"], options=what["options"], arguments=what["arguments"]
    )
    checked = Checked(
        called(module, task.name, is_loss=task.loss),
        Arguments.standard(),
        task=task,
        only_gradient=True,
    )
    for check in checked.checks():
        finding = check.run(what["seed"])
        if not finding.ok:
            found = finding.explained()
            if what["answers"]:
                found = answered(found, finding.diagnosis)
            return _said(found)
    return _said(None)


def _of_class(cls: type[Plugin], what: Mapping[str, Any]) -> dict[str, Any]:
    report = run(of_class(cls, what["name"], ""), what["seed"], answers=what["answers"])
    failure = report.telling
    return _said(None if failure is None else failure.finding)


def _said(finding: Finding | None) -> dict[str, Any]:
    """What is told of it, which has an end; nothing if nothing is wrong."""
    if finding is None:
        return {"text": "", "patterns": []}
    text = "\n".join(describe(finding))[:_MOST]
    return {"text": text, "patterns": list(patterns(finding))[:10]}
