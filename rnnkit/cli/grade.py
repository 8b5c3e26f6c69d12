"""`rnnkit grade`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.completing import assignments
from rnnkit.cli.options import Force
from rnnkit.system.terminal import say


def grade(
    submissions: Annotated[
        Path | None,
        typer.Argument(
            metavar="SUBMISSIONS",
            help="A folder with one file, folder, zip or notebook for each student.",
        ),
    ] = None,
    assignment: Annotated[
        str,
        typer.Option(
            "--assignment",
            metavar="NAME|FILE",
            help="What is to be written: ie590, cs231n, or a TOML file.",
            autocompletion=assignments,
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where grades.csv and the pages are written."),
    ] = None,
    no_answers: Annotated[
        bool, typer.Option("--no-answers", help="Do not say what a wrong gradient should be.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The seed of the random inputs.")] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", min=1, help="Submissions at a time; one for each core if not given."
        ),
    ] = None,
    make_autograder: Annotated[
        Path | None,
        typer.Option(
            "--make-autograder", metavar="ZIP", help="Write the zip that Gradescope takes, and end."
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="FILE",
            help="SUBMISSIONS is one submission: write its results.json for Gradescope, and end.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Grade a class: values and gradients of every submission, each in a locked process of its own.

    Started again after an interruption, it goes on.
    """
    from rnnkit.errors import CourseError

    if not assignment:
        raise CourseError("--assignment: name what is to be graded: ie590, cs231n, or a TOML file")
    from rnnkit.testing.functions.assignment import read_assignment
    from rnnkit.testing.grading.judge import solvable

    if make_autograder is not None:
        from rnnkit.system.outputs import AUTOGRADER, check_output
        from rnnkit.testing.grading.autograder import make_autograder as make

        check_output(make_autograder, AUTOGRADER, force=force)
        solvable(read_assignment(assignment))
        make(make_autograder, assignment, seed, answers=not no_answers)
        say(f"wrote {make_autograder}")
        return
    if submissions is None:
        raise CourseError("name the folder with the submissions")
    from rnnkit.testing.grading.grading import Grading

    how = Grading(assignment, seed, not no_answers)
    from rnnkit.system.outputs import GRADES, GRADESCOPE, PAGE, check_output

    if results is not None:
        check_output(results, GRADESCOPE, (submissions,), force=force)
        _one(submissions, how, results)
        return
    if out is None:
        raise CourseError("--out: name the folder for grades and pages")
    check_output(out / "grades.csv", GRADES, force=force)
    check_output(out / "index.html", PAGE, force=force)
    solvable(read_assignment(assignment))
    _class(submissions, how, out, jobs)


def _one(path: Path, how: object, results: Path) -> None:
    from rnnkit.errors import CourseError
    from rnnkit.system.files import write_text_whole
    from rnnkit.system.json_text import json_text
    from rnnkit.testing.grading.grading import Grading, graded, lines
    from rnnkit.testing.grading.results import results as form
    from rnnkit.testing.grading.submissions import Submission

    assert isinstance(how, Grading)
    if not path.exists():
        raise CourseError(f"{path}: no such submission")
    verdict = graded(Submission(path.stem, path.resolve()), how)
    write_text_whole(results, json_text(form(verdict), 2))
    say("\n".join([*lines(verdict), f"{verdict.earned:g} of {verdict.points:g} points"]))


def _class(folder: Path, how: object, out: Path, jobs: int | None) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    from rnnkit.cli import show
    from rnnkit.testing.grading.classes import grade_class
    from rnnkit.testing.grading.grading import Grading

    assert isinstance(how, Grading)
    far = ["grading"]
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with show.bar(*columns, to=show.console(stderr=True), far=lambda: far[0]) as progress:
        task = progress.add_task("", total=None)

        def told(done: int, of: int, name: str) -> None:
            far[0] = f"graded {done} of {of}"
            progress.update(task, completed=done, total=of, description=name)

        graded = grade_class(folder, how, out, told, jobs)
    verdicts = graded.verdicts
    mean = sum(v.earned for v in verdicts) / len(verdicts)
    if graded.again:
        say(f"{graded.again} of {len(verdicts)} were graded before, and are the same")
    locked = {lock for v in verdicts for lock in v.locked}
    say(f"in force: {'; '.join(sorted(locked)) or 'limits on time and memory alone'}")
    say(f"{len(verdicts)} submissions, mean {mean:.1f} of {verdicts[0].points:g} points")
    say(f"wrote {out / 'grades.csv'}, {out / 'index.html'}, and a folder for each student")
