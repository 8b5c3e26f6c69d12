"""One submission graded: brought into a scratch folder, judged task by task, and explained where it is wrong."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from rnnkit.errors import CourseError
from rnnkit.system.version import __version__
from rnnkit.testing.functions.assignment import Assignment, Task, read_assignment
from rnnkit.testing.grading.class_judge import ClassJudge
from rnnkit.testing.grading.judge import ENDED, Judge, unread
from rnnkit.testing.grading.place import Place
from rnnkit.testing.grading.remote import Ended, Remote
from rnnkit.testing.grading.submissions import Submission, bring, mistakes, modules
from rnnkit.testing.grading.verdicts import Outcome, Part, Verdict


@attrs.frozen
class Grading:
    """How a class is graded.

    Attributes:
        assignment: its name, or its file.
        seed: of the random inputs, with the submission.
        answers: whether explanations say what wrong gradients should be.
        label: of its scratch folders.
    """

    assignment: str
    seed: int = 0
    answers: bool = True
    label: str = "one"

    @property
    def prefix(self) -> str:
        """How the names of its scratch folders begin."""
        return f"rnnkit-grade-{self.label}-"

    def sweep(self) -> None:
        """Remove the scratch folders of a run with this label that was killed."""
        for left in Path(tempfile.gettempdir()).glob(f"{self.prefix}*"):
            shutil.rmtree(left, ignore_errors=True)

    def key(self, submission: Submission, assignment: Assignment) -> str:
        """A digest of all that a verdict follows from."""
        whole = [
            __version__,
            self.seed,
            self.answers,
            attrs.asdict(assignment, filter=lambda field, _: field.name != "folder"),
            [hashlib.sha256(file.read_bytes()).hexdigest() for file in assignment.files],
            submission.digest(),
        ]
        return hashlib.sha256(json.dumps(whole, default=str).encode()).hexdigest()


def graded(submission: Submission, how: Grading) -> Verdict:
    """What comes of a submission; the same for the same submission and seed.

    Raises:
        CourseError: the assignment has mistakes, or the system is not one that can grade.
    """
    if os.name != "posix":
        raise CourseError(
            "grading needs Linux or macOS: submissions are limited by what these have"
        )
    began = time.monotonic()
    assignment = read_assignment(how.assignment)
    key = how.key(submission, assignment)
    with tempfile.TemporaryDirectory(prefix=how.prefix, ignore_cleanup_errors=True) as folder:
        root, scratch = Path(folder) / "submission", Path(folder) / "scratch"
        Path(folder).chmod(0o755)  # a submission may run as another user
        scratch.mkdir()
        try:
            bring(submission, root)
        except CourseError as e:
            outcomes = tuple(_lost(task, f"unreadable: {e}") for task in assignment.tasks)
            return Verdict(submission.name, key, outcomes, notes=(str(e),))
        seed = int.from_bytes(
            hashlib.sha256(f"{submission.digest()} {how.seed}".encode()).digest()[:4]
        )
        work = _Work(assignment, how, seed, root, scratch)
        with work.remote:
            outcomes = tuple(map(work.outcome, assignment.tasks))
        notes = tuple(mistakes(root))
        printed = work.remote.heard.decode("utf-8", "replace")
        locked = tuple(work.remote.locked)
    return Verdict(
        submission.name, key, outcomes, notes, printed, locked, round(time.monotonic() - began, 2)
    )


class _Work:
    """On one submission."""

    def __init__(
        self, assignment: Assignment, how: Grading, seed: int, root: Path, scratch: Path
    ) -> None:
        self._assignment, self._how, self._seed = assignment, how, seed
        self._root = root
        self._broken: dict[str, str] = {}
        memory = max(task.memory for task in assignment.tasks)
        self._memory = memory
        classes = any(task.is_plugin for task in assignment.tasks)
        self._place = Place(root, scratch, "kinds" if classes else "nothing", assignment.packages)
        self.remote = Remote(self._place, memory)

    def outcome(self, task: Task) -> Outcome:
        """What comes of a task."""
        module, defined = modules(self._root, task)
        if not module:
            return _lost(task, f"not there: {_wanted(task)}")
        if module in self._broken:
            return _lost(task, self._broken[module])
        one = task.loss or task.is_plugin
        forward = next((n for n in defined if "forward" in n or one), "")
        backward = next((n for n in defined if "backward" in n), "")
        if not forward:
            return _lost(task, f"not there: {_wanted(task)}")
        kind = ClassJudge if task.is_plugin else Judge
        judge = kind(self._assignment, task, self._seed)
        value = Part(task.value, text="not there", patterns=("not there",))
        gradient, alike = None, ""
        try:
            with self.remote.task(task, module, forward, backward, self._seed) as functions:
                value = judge.value(functions)
                gradient = judge.gradient(functions) if task.gradient else None
                right = value.right and (gradient is None or gradient.right)
                alike = "" if right else judge.alike(functions)
        except Ended as e:
            text = f"ended: {e}"
            if str(e).startswith("importing"):
                self._broken[module] = text
                return _lost(task, text)
            if not value.right and value.text == "not there":
                return _lost(task, text)
            gradient = Part(task.gradient, text=text, patterns=(ENDED,))
        outcome = Outcome(task.name, task.show, value, gradient, alike=alike)
        if gradient is None or gradient.right or not gradient.text.startswith("gradient:"):
            return outcome
        return self._explained(outcome, task, module)

    def _explained(self, outcome: Outcome, task: Task, module: str) -> Outcome:
        """With what gradcheck says of a wrong gradient."""
        what: dict[str, Any] = {
            "name": task.name,
            "loss": task.loss,
            "plugin": task.is_plugin,
            "options": task.options or {},
            "arguments": dict(task.arguments),
            "seed": self._seed,
            "answers": self._how.answers,
        }
        said: dict[str, Any] = {}
        place = attrs.evolve(self._place, rnnkit="all")
        with contextlib.suppress(Ended), Remote(place, self._memory) as remote:
            said = remote.explain(module, what, 5 * task.seconds)
        text, found = said.get("text"), said.get("patterns")
        if not isinstance(text, str) or not text or not isinstance(found, list):
            return outcome
        assert outcome.gradient is not None
        gradient = attrs.evolve(outcome.gradient, patterns=tuple(str(p)[:200] for p in found[:10]))
        return attrs.evolve(outcome, gradient=gradient, explanation=text[:20_000])


def _lost(task: Task, text: str) -> Outcome:
    value, gradient = unread(task, text)
    return Outcome(task.name, task.show, value, gradient)


def _wanted(task: Task) -> str:
    name = task.name if task.loss or task.is_plugin else f"{task.name}_forward"
    return f"no file defines {name}"


def kept(file: Path) -> Verdict | None:
    """A verdict that was written before; None if there is none that can be read."""
    try:
        return Verdict.from_json(json.loads(file.read_text(encoding="utf-8")))
    except Exception:  # whatever is in the file
        return None


def lines(verdict: Verdict) -> Iterator[str]:
    """A line for each task: points, and what is wrong in a few words."""
    for outcome in verdict.outcomes:
        wrong = [f"{k}: {p.text.splitlines()[0]}" for k, p in outcome.parts.items() if p.text]
        yield f"{outcome.name} {outcome.earned:g}/{outcome.points:g} {'; '.join(wrong)}"
