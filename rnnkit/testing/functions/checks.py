"""The checks of a pair of functions: that it is written, its values, its gradients."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import numpy as np

from rnnkit.errors import CourseError
from rnnkit.kinds import Array
from rnnkit.registry.docstrings import section
from rnnkit.testing.checks import Check
from rnnkit.testing.examine import Finding, examine
from rnnkit.testing.example import Broken, seeded
from rnnkit.testing.functions.arguments import Arguments, shape_text
from rnnkit.testing.functions.assignment import Assignment, Task
from rnnkit.testing.functions.finding import Found, Function, place, unwritten
from rnnkit.testing.functions.settings import printed, settings
from rnnkit.testing.functions.values import (
    PRINTED,
    beside_solution,
    compared,
    outputs_of,
    with_label,
)
from rnnkit.testing.pairs import GATES, Pair, scaled
from rnnkit.testing.raised import raising


class Muted(io.TextIOBase):
    """Takes what functions print, which are called many times; `heard` says whether there was something."""

    heard = False

    def write(self, text: str) -> int:
        self.heard = True
        return len(text)


@attrs.frozen
class Checked:
    """A pair of functions, and what it is checked with.

    Attributes:
        found: the functions.
        table: how arguments are made.
        assignment: with the values that must come out, if it is known.
        task: of the assignment.
        only_gradient: whether values are somebody else's to compare.
    """

    found: Found
    table: Arguments
    assignment: Assignment | None = None
    task: Task | None = None
    only_gradient: bool = False

    def checks(self) -> Iterator[Check]:
        """All of them; one that says what is missing goes first."""
        gaps = list(self._gaps())
        if gaps:
            yield Check("written", lambda seed: Finding(broken="written", text="\n".join(gaps)))
        if self.found.forward is None or unwritten(self.found.forward):
            return
        if self.task is not None and not self.only_gradient:
            yield Check("value", self._muted(self._value))
            if self.task.printed:
                yield Check("printed numbers", self._muted(self._printed))
        if not gaps and (self.found.is_loss or self.found.backward):
            yield Check("gradient", self._muted(self._gradient))

    @property
    def arguments(self) -> Arguments:
        """How arguments are made, the assignment's own first."""
        return self.table if self.task is None else self.table.before(self.task.arguments)

    def _muted(self, run: Callable[[int], Finding]) -> Callable[[int], Finding]:
        """What is found, whatever the functions raise and print."""

        def running(seed: int) -> Finding:
            muted = Muted()
            try:
                with contextlib.redirect_stdout(muted):
                    finding = run(seed)
            except Broken as e:
                finding = Finding(broken=e.law, text=e.text, blame=e.blame)
            except CourseError as e:
                finding = Finding(broken="arguments", text=str(e), blame="forward")
            except Exception as e:
                finding = Finding(broken="runs", text=raising("it", e), blame="forward")
            if muted.heard:
                said = "what it prints is not shown, as it is called many times"
                finding = attrs.evolve(finding, note="; ".join(filter(None, (finding.note, said))))
            return finding

        return running

    def _value(self, seed: int) -> Finding:
        assert self.assignment is not None
        assert self.task is not None
        solution = self.assignment.solved(self.task)
        assert solution.forward is not None
        for setting in settings(solution.forward, self.arguments, seed, self.task.options or {}):
            finding = beside_solution(solution, setting, self._outputs)
            if not finding.ok:
                return finding
        return Finding()

    def _printed(self, seed: int) -> Finding:
        assert self.task is not None
        for label, given in self.task.printed.items():
            got = outputs_of(self.found, printed(given["arguments"]))
            wanted = [np.array(a) for a in given["outputs"]]
            finding = compared(got, wanted, "the assignment prints", PRINTED)
            if not finding.ok:
                return with_label(finding, f"the numbers of {label!r}")
        return Finding()

    def _gradient(self, seed: int) -> Finding:
        forward, backward = self.found.forward, self.found.backward
        assert forward is not None
        worst, note = 0.0, None
        options = self.task.options or {} if self.task else None
        for setting in settings(forward, self.arguments, seed, options):
            pair = Pair(forward, backward or scaled, setting.arguments)
            finding = examine(pair.example(GATES), seeded("pair", seed))
            if finding.broken == "runs":
                raise Broken("runs", finding.text + _given(setting.arguments), finding.blame)
            if not finding.ok:
                return with_label(finding, setting.label)
            worst, note = max(worst, finding.error), note or finding.note
        return Finding(max(worst, float(np.finfo(float).eps)), note=note)

    def _outputs(self, arguments: Mapping[str, Any]) -> dict[str, Array]:
        """What forward returns beside its cache; its errors say with which shapes."""
        try:
            return outputs_of(self.found, arguments)
        except (Broken, CourseError):
            raise
        except Exception as e:
            raise Broken("runs", raising("it", e) + _given(arguments), "forward") from e

    def _gaps(self) -> Iterator[str]:
        """A few lines for each function that is not written yet, or not there."""
        functions = (self.found.forward, self.found.backward)
        wanted = self.task is None or self.task.gradient > 0
        for name, function in zip(self.found.names, functions, strict=False):
            if function is None and (wanted or name == self.found.names[0]):
                yield f"there is no {name}; it must return {self._must_return(name)}"
            elif function is not None and unwritten(function):
                yield f"{name} is not written yet [{place(function)}]; it must return {self._must_return(name)}"

    def _must_return(self, name: str) -> str:
        if name == self.found.names[0]:
            forward = self.found.forward
            if self.found.is_loss:
                return "the loss, and its gradient dx, of the shape of x"
            said = _said(forward) if forward else ""
            return said or "its output, and a cache with what backward needs"
        forward = self.found.forward or self._solution()
        if forward is None:
            return "a gradient for each array that forward takes"
        try:
            recipes = self.arguments.recipes(forward)
        except CourseError:
            return "a gradient for each array that forward takes"
        parts = [f"d{k} {shape_text(r)}".rstrip() for k, r in recipes.items() if isinstance(r, str)]
        return ", ".join(parts)

    def _solution(self) -> Function | None:
        if self.assignment is None or self.task is None:
            return None
        return self.assignment.solved(self.task).forward


def _said(forward: Function) -> str:
    """What its docstring says that it returns; else the names in its return statement."""
    doc = inspect.getdoc(forward) or ""
    found = section(doc, "Returns") or _after_returns(doc)
    if found:
        return found
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(forward)))
    except (OSError, SyntaxError, TypeError):
        return ""
    last = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value]
    return ast.unparse(last[-1]).strip("()") if last and ast.unparse(last[-1]) != "None" else ""


def _after_returns(doc: str) -> str:
    """The list after `Returns a tuple of:`, in one line."""
    found = re.search(
        r"^Returns[^\n:]*:?\s*\n((?:\s*[-*] .*(?:\n(?!\s*[-*] )\s+\S.*)*\n?)+)", doc, re.MULTILINE
    )
    if not found:
        return ""
    items = re.split(r"\n?\s*[-*] ", "\n" + found[1].strip())
    return "; ".join(" ".join(item.split()) for item in items if item.strip())


def _given(arguments: Any) -> str:
    shapes = [f"{k} {v.shape}" for k, v in arguments.items() if isinstance(v, np.ndarray)]
    return (
        f"\nit was given {', '.join(shapes)}; if that is not what its parameters mean, say what they are "
        "in a file and give that with --arguments"
    )
