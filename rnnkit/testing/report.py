"""Findings in words: which leaf, where, by how much, why perhaps, and how to run just this again."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence

from rnnkit.testing.diagnosis import LeafFinding
from rnnkit.testing.examine import Finding
from rnnkit.testing.targets import Report


def explain(report: Report, seed: int, *, answers: bool = True) -> str:
    """Everything a person needs who has to mend the plugin.

    Args:
        report: of its checks.
        seed: of all random numbers.
        answers: whether it was to say what wrong gradients should be.
    """
    target = report.target
    head = f"{target.kind} {target.name!r}" + (f" ({target.package})" if target.package else "")
    if target.problem is not None:
        return f"{head}: {target.problem}"
    if target.separate:
        return "\n".join([head, *_of_each(report, seed, answers=answers)])
    failure = report.telling
    assert failure is not None
    if failure.finding.broken == "written":
        # No --case: there is none of that name once everything is written.
        again = shlex.join(["rnnkit", "gradcheck", *target.again])
        first, *more = failure.finding.text.splitlines()
        return "\n".join([f"{head}: {first}", *more, f"  again:    {again}"])
    rest = len(report.failures) - 1
    others = f"; {rest} more of its {report.checks} checks fail" if rest else ""
    again = _again(report, seed, ["--case", failure.check], answers=answers)
    lines = [
        f"{head} fails {failure.check!r}{others}",
        *(f"  {line}" for line in describe(failure.finding)),
        f"  backward: {target.place}",
        f"  again:    {again}",
    ]
    return "\n".join(lines)


def _of_each(report: Report, seed: int, *, answers: bool) -> Iterator[str]:
    """Every failure of a target whose checks are about different things."""
    for failure in report.failures:
        said = "\n".join(describe(failure.finding))
        yield textwrap.indent(said, "  ")
    yield from (f"  {way + ':':9} {at}" for way, at in _places(report))
    yield f"  again:    {_again(report, seed, [], answers=answers)}"


def _places(report: Report) -> Iterator[tuple[str, str]]:
    """Where the passes are that are at fault."""
    blamed = {failure.finding.blame for failure in report.failures}
    if "forward" in blamed and report.target.forward:
        yield "forward", report.target.forward
    if "backward" in blamed and report.target.place:
        yield "backward", report.target.place


def _again(report: Report, seed: int, case: Sequence[str], *, answers: bool) -> str:
    """The command that runs the same again."""
    words = ["rnnkit", "gradcheck", *report.target.again, *case]
    words += ["--no-answers"] * (not answers)
    return shlex.join([*words, *(["--seed", str(seed)] if seed else [])])


def describe(finding: Finding) -> Iterator[str]:
    """The finding itself, a line at a time."""
    yield f"{finding.broken}: {finding.text}"
    width = max((len(leaf.name) for leaf in finding.leaves), default=0)
    for leaf in finding.leaves:
        yield f"  {leaf.name:{width}}  {_verdict(leaf)}"
    for answer in finding.answers:
        yield f"  {answer}"
    if finding.note:
        yield f"note: {finding.note}"


def _verdict(leaf: LeafFinding) -> str:
    if leaf.right:
        return "right"
    where = f" at {list(leaf.place)}" if leaf.place else ""
    said = f"WRONG{where}: backward gives {leaf.given:.6g}, the derivative is {leaf.wanted:.6g}"
    said += f" ({leaf.wrong_share:.0%} of the elements are wrong)"
    bad = [gate for gate, right in leaf.gates.items() if not right]
    good = [gate for gate, right in leaf.gates.items() if right]
    if bad and good:
        said += f"; gates {', '.join(bad)} are wrong, {', '.join(good)} right"
    return f"{said}; {leaf.hint}" if leaf.hint else said
