"""One mistake, or one right solution, before gradcheck."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Final

import attrs

from rnnkit.testing.functions.assignment import Assignment
from rnnkit.testing.functions.targets import of_module
from rnnkit.testing.report import explain
from rnnkit.testing.targets import run
from tests.mistakes.listed import MISTAKES

SOURCE: Final = (Path(__file__).parents[1] / "coursework/rnn_layers.py").read_text(encoding="utf-8")
_FILES: Final = count()


@attrs.frozen
class Outcome:
    """What came of a mistake.

    Attributes:
        found: whether it was found.
        named: whether the reason is the right one.
        text: what was said.
    """

    found: bool
    named: bool
    text: str


def written(changes: Sequence[tuple[str, str]]) -> ModuleType:
    """The module of the assignment, with some text changed; its source can be looked up."""
    source = SOURCE
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    name = f"mistake_{next(_FILES)}"
    module = ModuleType(name)
    module.__file__ = f"<{name}>"
    linecache.cache[module.__file__] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        module.__file__,
    )
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module


def said(module: ModuleType, name: str, assignment: Assignment) -> str:
    """What gradcheck says of a function of that module; nothing if it is right."""
    targets = of_module(module, "rnn_layers.py", assignment)
    report = run(next(t for t in targets if t.name.endswith(f"::{name}")), answers=False)
    return "" if report.ok else explain(report, 0, answers=False)


def outcome(name: str, number: int, assignment: Assignment) -> Outcome:
    """What comes of a mistake in the list."""
    old, new, told = MISTAKES[name][number]
    text = said(written([(old, new)]), name, assignment)
    return Outcome(bool(text), any(part in text for part in told.split("|") if part), text)
