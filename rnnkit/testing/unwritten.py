"""Methods of a plugin that nobody has written yet: they raise NotImplementedError whatever they are given."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import attrs

from rnnkit.kinds import Plugin
from rnnkit.registry.docstrings import paragraphs, section
from rnnkit.registry.labels import label
from rnnkit.spec import Spec


@attrs.frozen
class Gap:
    """A method to write.

    Attributes:
        method: its name.
        place: `file:line` of the statement to replace.
        says: the message of its NotImplementedError, if it is a plain text.
        returns: what it must return: the type in its signature, and the words of its kind.
    """

    method: str
    place: str
    says: str
    returns: str


def unwritten(cls: type[Plugin]) -> Iterator[Gap]:
    """The gaps of a plugin class, in the order of its lines."""
    gaps = [gap for name in dir(cls) for gap in _gap(cls, name)]
    yield from (gap for _, gap in sorted(gaps, key=lambda found: found[0]))


def told(gaps: Sequence[Gap]) -> str:
    """A line that names the methods to write, then a few for each: where, and what it must return."""
    width = max(len(gap.method) for gap in gaps)
    lines = [f"{_names(gaps)} not written yet"]
    for gap in gaps:
        said = f": {gap.says}" if gap.says else ""
        lines.append(f"  {gap.method:{width}}  {gap.place}{said}")
        lines += textwrap.wrap(
            f"it must return {gap.returns}",
            width=100,
            initial_indent=" " * (width + 4),
            subsequent_indent=" " * (width + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def told_of_spec(spec: Spec) -> str:
    """A sentence for each plugin of a spec that is not written yet; empty if all are."""
    lines: dict[str, None] = {}
    for plugin in _plugins(spec):
        gaps = list(unwritten(type(plugin)))
        if gaps:
            of = f"the {plugin.noun} {label(plugin).partition('(')[0]!r}"
            lines[f"{_names(gaps)} not written yet, which {of} needs"] = None
    return "\n".join(lines)


def _names(gaps: Sequence[Gap]) -> str:
    *most, last = [gap.method for gap in gaps]
    return f"{', '.join(most)} and {last} are" if most else f"{last} is"


def _plugins(value: Any) -> Iterator[Plugin]:
    if isinstance(value, Plugin):
        yield value
    if isinstance(value, tuple):
        for item in value:
            yield from _plugins(item)
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _plugins(getattr(value, field.name))


def _gap(cls: type[Plugin], name: str) -> Iterator[tuple[int, Gap]]:
    found = inspect.getattr_static(cls, name)
    function = found.__func__ if isinstance(found, staticmethod | classmethod) else found
    if not isinstance(function, FunctionType) or function.__module__.startswith("rnnkit.kinds"):
        return
    if NotImplementedError.__name__ not in function.__code__.co_names:
        return  # reading sources takes a while
    try:
        file = inspect.getsourcefile(function) or ""
        lines, first = inspect.getsourcelines(function)
        body = ast.parse(textwrap.dedent("".join(lines))).body
    except (OSError, SyntaxError, TypeError):
        return
    if len(body) == 1 and isinstance(body[0], ast.FunctionDef):
        for statement in body[0].body:
            raised = statement.exc if isinstance(statement, ast.Raise) else None
            call = raised if isinstance(raised, ast.Call) else None
            error = call.func if call else raised
            if isinstance(error, ast.Name) and error.id == "NotImplementedError":
                line = first + statement.lineno - 1
                place = f"{_near(Path(file))}:{line}"
                yield line, Gap(name, place, _text(call), _returns(cls, name, body[0]))


def _text(call: ast.Call | None) -> str:
    match call:
        case ast.Call(args=[ast.Constant(value=str(text))]):
            return text
    return ""


def _returns(cls: type[Plugin], name: str, function: ast.FunctionDef) -> str:
    """The annotation, then what the docstring of the kind's own method, or else this one, says of the result."""
    interface = [base for base in cls.__mro__ if base.__module__.startswith("rnnkit.kinds")]
    docs = [vars(base)[name].__doc__ for base in interface if name in vars(base)]
    kept = ast.unparse(function.returns).strip("'\"") if function.returns else ""
    doc = docs[0] if docs else ast.get_docstring(function)
    words = section(doc, "Returns") or next(iter(paragraphs(doc)), "")
    return ": ".join(text for text in (kept, words) if text)


def _near(file: Path) -> Path:
    """The path from here, if the file is below."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
