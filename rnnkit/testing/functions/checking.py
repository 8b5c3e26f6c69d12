"""`check_functions`: every pair of functions of a module, as a table."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from types import ModuleType

import attrs

from rnnkit.system.terminal import shown
from rnnkit.testing.functions.arguments import Arguments
from rnnkit.testing.functions.assignment import read_assignment
from rnnkit.testing.functions.targets import of_module
from rnnkit.testing.report import explain
from rnnkit.testing.source import import_file
from rnnkit.testing.targets import Report, run


@attrs.frozen(repr=False)
class CheckedFunctions:
    """What came of each pair of functions; in a notebook it is a table.

    Attributes:
        reports: one for each pair.
        seed: of the random numbers.
        answers: whether it says what wrong gradients should be.
    """

    reports: tuple[Report, ...]
    seed: int
    answers: bool

    @property
    def ok(self) -> bool:
        """Whether all are written and right."""
        return all(report.ok for report in self.reports)

    def __repr__(self) -> str:
        width = max(len(_name(report)) for report in self.reports)
        lines = [f"{_name(r):{width}}  {verdict(r)}" for r in self.reports]
        return "\n\n".join(["\n".join(lines), *filter(None, map(self._why, self.reports))])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left;vertical-align:top"><code>{_html(_name(r))}</code></td>'
            f'<td style="text-align:left;vertical-align:top;color:{_COLOURS[verdict(r)]}">{verdict(r)}</td>'
            f'<td style="vertical-align:top">{f"{r.worst:.1e}" if r.worst else ""}</td>'
            f'<td style="text-align:left"><pre style="white-space:pre-wrap;margin:0">{_html(self._why(r))}</pre></td></tr>'
            for r in self.reports
        )
        heads = "".join(
            f'<th style="text-align:left">{head}</th>'
            for head in ("functions", "verdict", "worst error", "what is wrong")
        )
        return f"<table><tr>{heads}</tr>{rows}</table>"

    def _why(self, report: Report) -> str:
        if report.ok:
            return ""
        _, *lines = explain(report, self.seed, answers=self.answers).splitlines()
        kept = [line.removeprefix("  ") for line in lines if not line.startswith("  again:")]
        return "\n".join([f"{_name(report)}:", *kept])


_COLOURS = {"right": "#2e7d32", "wrong": "#c62828", "not written": "#b26a00"}


def verdict(report: Report) -> str:
    """A word for what came of a pair."""
    if report.ok:
        return "right"
    broken = {failure.finding.broken for failure in report.failures}
    return "not written" if broken == {"written"} else "wrong"


def check_functions(
    module: ModuleType | str | Path | None = None,
    *,
    assignment: str | None = None,
    arguments: str | Path | None = None,
    seed: int = 0,
    answers: bool = True,
) -> CheckedFunctions:
    """Check every pair of functions of a module, as `X_forward` and `X_backward`, and every loss.

        check_functions("rnn_layers.py", assignment="ie590")

    Args:
        module: with the functions, or their file; the notebook or script itself if left open.
        assignment: the name of an assignment, or a TOML file; then values are checked, too.
        arguments: a TOML file that says what parameters mean whose names are not those of the field.
        seed: of the random numbers.
        answers: whether to say what wrong gradients should be.

    Returns:
        A table of what was found: text at a prompt, HTML in a notebook; `ok` says whether all is right.

    Raises:
        CourseError: there are no such functions, or a file has mistakes.
        RegistryError: the file is not there, or fails to import.
    """
    if module is None:
        module = sys.modules["__main__"]
    elif not isinstance(module, ModuleType):
        module = import_file(Path(module))
    asked = None if assignment is None else read_assignment(assignment)
    table = None if arguments is None else Arguments.read(Path(arguments))
    name = getattr(module, "__name__", "it")
    targets = of_module(module, "this notebook" if name == "__main__" else name, asked, table)
    return CheckedFunctions(
        tuple(run(target, seed, answers=answers) for target in targets), seed, answers
    )


def _name(report: Report) -> str:
    return report.target.name.rpartition("::")[2]


def _html(text: str) -> str:
    return escape(shown(text))
