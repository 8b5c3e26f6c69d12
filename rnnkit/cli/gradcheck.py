"""`rnnkit gradcheck`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.completing import assignments, kinds, plugins
from rnnkit.cli.options import AsJson
from rnnkit.parallel import job
from rnnkit.system.process import settle
from rnnkit.system.terminal import say

if TYPE_CHECKING:
    from rnnkit.testing.examine import Finding
    from rnnkit.testing.targets import Report, Target


def gradcheck(
    name: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME ...]",
            help="Plugins; or what is not installed: path/to/file.py::ClassName, or a file of functions such as "
            "rnn_step_forward and rnn_step_backward. All plugins if not given.",
            autocompletion=plugins,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", help="Only plugins of this kind: cell, layer, ...", autocompletion=kinds
        ),
    ] = None,
    spec: Annotated[
        list[Path] | None,
        typer.Option(
            "--spec", metavar="SPEC", help="Check the whole network of this spec. Repeatable."
        ),
    ] = None,
    case: Annotated[
        str, typer.Option("--case", metavar="TEXT", help="Only checks whose name contains this.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="The seed of the random numbers.")] = 0,
    no_answers: Annotated[
        bool,
        typer.Option(
            "--no-answers", help="Do not say what a wrong gradient should be, for courses."
        ),
    ] = False,
    assignment: Annotated[
        str | None,
        typer.Option(
            "--assignment",
            metavar="NAME|FILE",
            help="Check functions against this assignment, values too: ie590, cs231n, or a TOML file.",
            autocompletion=assignments,
        ),
    ] = None,
    arguments: Annotated[
        Path | None,
        typer.Option(
            "--arguments",
            metavar="FILE",
            help="A TOML file that says what parameters of functions mean.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Check again whenever a file is saved; Ctrl-C ends it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check gradients and laws of plugins, functions and whole specs; explain what is wrong.

    Under mpiexec -n R, R processes share the plugins.
    """
    if watch:
        from rnnkit.cli.watching import watching

        watching(name or [], [*(spec or []), *filter(None, [arguments])])
    with job() as ranks:
        settle(ranks.sharing)
        from rnnkit.cli import show
        from rnnkit.testing.targets import run_each

        plain = ranks.size > 1
        with show.working("checking", wanted=not ranks.rank, plain=plain):
            targets = _targets(name or [], kind, spec or [], assignment, arguments)
            reports = run_each(targets, seed, case, ranks, answers=not no_answers)
        code = 0 if ranks.rank else _tell(reports, seed, case, as_json, not no_answers, plain)
    if code:
        raise typer.Exit(code)


def _tell(
    reports: list[Report], seed: int, case: str, as_json: bool, answers: bool, plain: bool
) -> int:
    """Print what was found; the exit code."""
    from rnnkit.testing.report import explain

    failed = [report for report in reports if not report.ok]
    if as_json:
        from rnnkit.cli import show

        show.print_json([_json(report) for report in reports])
    else:
        _print(reports, plain=plain)
        for report in failed:
            say(f"\n{explain(report, seed, answers=answers)}")
    if case and not any(report.checks for report in reports):
        say(f"no check has {case!r} in its name", err=True)
        return 2
    unchecked = all(report.missing for report in reports)
    return 1 if failed or unchecked else 0


def _targets(
    names: list[str],
    kind: str | None,
    specs: list[Path],
    assignment: str | None,
    arguments: Path | None,
) -> list[Target]:
    from rnnkit.errors import CourseError, RegistryError
    from rnnkit.kinds import KINDS
    from rnnkit.registry import closest
    from rnnkit.testing import targets

    nouns = [base.noun for base in KINDS]
    if kind is not None and kind not in nouns:
        raise RegistryError(f"there is no kind {kind!r}; {closest(kind, nouns)}")
    functions = _Functions(assignment, arguments)
    found = [target for name in names for target in functions.at(name) or targets.named(name, kind)]
    if (assignment or arguments) and not any(target.separate for target in found):
        raise CourseError("--assignment and --arguments are for a file of functions; name it")
    found += [targets.of_spec(file) for file in specs]
    return found if names or specs else list(targets.installed(kind=kind))


class _Functions:
    """Files of functions on the command line, and the options that are about them."""

    def __init__(self, assignment: str | None, arguments: Path | None) -> None:
        self._assignment, self._arguments = assignment, arguments

    def at(self, name: str) -> list[Target]:
        """The pairs of functions in a file; nothing if a name is none of a file of functions."""
        if not name.partition("::")[0].endswith(".py"):
            return []
        from rnnkit.testing.functions.arguments import Arguments
        from rnnkit.testing.functions.assignment import read_assignment
        from rnnkit.testing.functions.targets import has_functions, in_file

        if not has_functions(name):
            return []
        more = ["--assignment", self._assignment] if self._assignment else []
        more += ["--arguments", str(self._arguments)] if self._arguments else []
        return in_file(
            name,
            read_assignment(self._assignment) if self._assignment else None,
            Arguments.read(self._arguments) if self._arguments else None,
            tuple(more),
        )


def _print(reports: list[Report], *, plain: bool) -> None:
    from rnnkit.cli import show

    def worst(report: Report) -> str:
        return f"{report.worst:.1e}" if report.worst else "-"

    def verdict(report: Report) -> show.Cell:
        if not report.ok:
            return show.Cell("FAILS", "red")
        return show.Cell("not checked", "yellow") if report.missing else show.Cell("ok", "green")

    rows = [
        (
            report.target.kind,
            report.target.name,
            report.target.package,
            str(report.checks),
            worst(report),
            f"{report.seconds:.2f} s",
            verdict(report),
        )
        for report in reports
    ]
    columns = ["kind", "plugin", "package", ">checks", ">worst error", ">time", "verdict"]
    console = show.console(plain)
    show.print_table(
        console,
        columns,
        rows,
        folding=("plugin", "package"),
        spare=("time", "package", "worst error"),
    )
    for report in reports:
        missing = [f"it is not checked: {report.missing}"] if report.missing else []
        for note in (*missing, *report.notes):
            console.print(f"note: {report.target.kind} {report.target.name!r}: {note}")


def _json(report: Report) -> dict[str, object]:
    import attrs

    def found(finding: Finding) -> dict[str, object]:
        return attrs.asdict(finding, filter=lambda field, _: field.name != "diagnosis")

    target = report.target
    return {
        "kind": target.kind,
        "name": target.name,
        "package": target.package,
        "place": target.place,
        "problem": target.problem,
        "ok": report.ok,
        "checks": report.checks,
        "worst": report.worst,
        "seconds": report.seconds,
        "missing": report.missing or None,
        "notes": list(report.notes),
        "failures": [{"check": f.check, **found(f.finding)} for f in report.failures],
    }
