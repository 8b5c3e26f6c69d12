"""A class graded: submissions side by side on all cores, each verdict written as soon as it is there."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Final

import attrs

from rnnkit.errors import CourseError
from rnnkit.system.cores import cores
from rnnkit.system.files import remove_left_over, sole_owner, write_text_whole
from rnnkit.system.json_text import json_text
from rnnkit.system.terminal import shown
from rnnkit.testing.functions.assignment import Assignment, read_assignment
from rnnkit.testing.grading.grading import Grading, graded, kept
from rnnkit.testing.grading.pages import class_page, student_page
from rnnkit.testing.grading.results import results
from rnnkit.testing.grading.submissions import Submission, submissions
from rnnkit.testing.grading.verdicts import Verdict

_VERDICT: Final = "verdict.json"


@attrs.frozen
class Graded:
    """A class that has been graded.

    Attributes:
        verdicts: of all submissions, by name.
        again: how many of them were graded before, by a run that was ended, and are the same.
    """

    verdicts: tuple[Verdict, ...]
    again: int


def grade_class(
    folder: Path,
    how: Grading,
    out: Path,
    progress: Callable[[int, int, str], None] = lambda done, of, name: None,
    jobs: int | None = None,
) -> Graded:
    """Grade all submissions in a folder, and write grades and pages.

    Args:
        folder: with the submissions.
        how: they are graded.
        out: folder to write: grades.csv, index.html, and a folder for each student.
        progress: told how many are done, of how many, and who was last.
        jobs: submissions at a time; as many as there are cores if left open.

    Raises:
        CourseError: there are no submissions, or the assignment has mistakes.
    """
    assignment = read_assignment(how.assignment)
    everyone = submissions(folder)
    _make(out, folder)
    how = attrs.evolve(how, label=hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:8])
    with sole_owner(out):
        how.sweep()
        before = {one.name: _kept(one, how, assignment, out) for one in everyone}
        verdicts = {name: verdict for name, verdict in before.items() if verdict is not None}
        again = len(verdicts)
        progress(again, len(everyone), "")
        todo = [one for one in everyone if one.name not in verdicts]
        for verdict in _side_by_side(todo, how, jobs or len(cores())):
            verdicts[verdict.name] = verdict
            _write(verdict, assignment, out)
            progress(len(verdicts), len(everyone), verdict.name)
        ordered = tuple(verdicts[one.name] for one in everyone)
        write_text_whole(out / "grades.csv", grades(ordered, assignment))
        write_text_whole(out / "index.html", class_page(assignment, ordered))
    return Graded(ordered, again)


def grades(verdicts: Sequence[Verdict], assignment: Assignment) -> str:
    """A table in CSV: a row for each student, a column for each part of each task, and the total."""
    columns = [
        f"{task.name} {part}"
        for task in assignment.tasks
        for part in ("values", "gradients")
        if part == "values" or task.gradient
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student", *columns, "total", "of"])
    for verdict in verdicts:
        earned = {
            f"{outcome.name} {name}": part.earned
            for outcome in verdict.outcomes
            for name, part in outcome.parts.items()
        }
        row = [f"{earned[column]:g}" for column in columns]
        name = f"'{verdict.name}" if verdict.name[:1] in "=+-@" else verdict.name  # no formula
        writer.writerow([shown(name), *row, f"{verdict.earned:g}", f"{verdict.points:g}"])
    return text.getvalue()


def _make(out: Path, submissions: Path) -> None:
    if out.resolve().is_relative_to(submissions.resolve()):
        raise CourseError(
            f"{out} is in the folder of the submissions; name another folder for --out"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise CourseError(f"{out} cannot be made: {e.strerror}; name another folder") from e


def _kept(one: Submission, how: Grading, assignment: Assignment, out: Path) -> Verdict | None:
    """What was graded before, if it would be the same again."""
    verdict = kept(out / one.name / _VERDICT)
    if verdict is None or verdict.key != how.key(one, assignment) or verdict.name != one.name:
        return None
    return verdict


def _write(verdict: Verdict, assignment: Assignment, out: Path) -> None:
    folder = out / verdict.name
    folder.mkdir(exist_ok=True)
    remove_left_over(folder)
    write_text_whole(folder / "results.json", json_text(results(verdict), 2))
    write_text_whole(folder / "index.html", student_page(assignment, verdict))
    write_text_whole(folder / _VERDICT, json.dumps(verdict.as_json()))


def _side_by_side(todo: Sequence[Submission], how: Grading, jobs: int) -> Iterator[Verdict]:
    """Verdicts in the order in which they come."""
    if jobs == 1 or len(todo) < 2:
        yield from (graded(one, how) for one in todo)
        return
    pool = ProcessPoolExecutor(min(jobs, len(todo)), get_context("spawn"), _as_a_worker)
    try:
        futures = {pool.submit(graded, one, how): one for one in todo}
        for future in as_completed(futures):
            error = future.exception()
            if error is not None:
                raise CourseError(f"grading {futures[future].name} failed: {error}") from error
            yield future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in active_children():
            worker.terminate()
        raise
    pool.shutdown()


def _as_a_worker() -> None:
    """Ctrl-C is for the process that hands out the work; a worker that is ended leaves no files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
