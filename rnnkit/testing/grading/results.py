"""results.json, as Gradescope reads it (https://gradescope-autograders.readthedocs.io/en/latest/specs/)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rnnkit.testing.grading.verdicts import Outcome, Part, Verdict


def results(verdict: Verdict) -> dict[str, Any]:
    """What Gradescope shows of a verdict: a test for the values and one for the gradients of each task.

    Students see points and explanations, points alone, or nothing until the grades are published, as the
    assignment says for each task.
    """
    tests = [test for outcome in verdict.outcomes for test in _tests(outcome)]
    head = "\n".join(verdict.notes)
    return {
        "score": verdict.earned,
        "execution_time": max(0, round(verdict.seconds)),
        "output": head or "Graded by rnnkit.",
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": {"key": verdict.key},
    }


def _tests(outcome: Outcome) -> Iterator[dict[str, Any]]:
    for name, part in outcome.parts.items():
        if not part.points:
            continue
        yield {
            "name": f"{outcome.name}: {name}",
            "name_format": "text",
            "score": part.earned,
            "max_score": part.points,
            "status": "passed" if part.right else "failed",
            "output": shown(outcome, name, part),
            "output_format": "text",
            "visibility": "after_published" if outcome.show == "nothing" else "visible",
        }


def shown(outcome: Outcome, name: str, part: Part) -> str:
    """What the student is told of a part."""
    if part.right:
        return "right"
    if outcome.show != "explanation":
        return "wrong"
    return outcome.explanation if name == "gradients" and outcome.explanation else part.text
