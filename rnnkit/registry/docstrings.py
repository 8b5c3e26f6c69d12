"""Docstrings taken apart: paragraphs, sections such as `Attributes:`, and what they say of each name."""

from __future__ import annotations

import inspect
import re
import textwrap

HEADING = re.compile(r"([A-Z][a-z]+):")
"""A line that is this and nothing else begins a section."""

ENTRY = re.compile(r"(\w+): *(.*)")


def paragraphs(doc: str | None) -> list[str]:
    """What stands before the first section, paragraph by paragraph, each in one line."""
    return [_joined(text) for text in re.split(r"\n\s*\n", _parts(doc)[""]) if text.strip()]


def section(doc: str | None, heading: str) -> str:
    """The text under a heading such as `Returns`, in one line; empty if there is none."""
    return _joined(_parts(doc).get(heading, ""))


def entries(doc: str | None, heading: str) -> dict[str, str]:
    """What a section says of each name, from lines `name: text` and the lines indented below them."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in _parts(doc).get(heading, "").splitlines():
        begun = ENTRY.match(line)
        if begun:
            name = begun[1]
            found[name] = [begun[2]]
        elif name:
            found[name].append(line)
    return {name: _joined("\n".join(lines)) for name, lines in found.items()}


def attributes(cls: type) -> dict[str, str]:
    """What a class and those it inherits from say of each field, under `Attributes:`."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= entries(vars(base).get("__doc__"), "Attributes")
    return found


def _parts(doc: str | None) -> dict[str, str]:
    """Heading -> the text below it, dedented; that before the first heading has an empty one."""
    heading = ""
    lines: dict[str, list[str]] = {heading: []}
    text = doc if isinstance(doc, str) else ""  # a class may have any object there
    for line in inspect.cleandoc(text).splitlines():
        begins = HEADING.fullmatch(line)
        if begins:
            heading = begins[1]
            lines[heading] = []
        else:
            lines[heading].append(line)
    return {key: textwrap.dedent("\n".join(below)).strip("\n") for key, below in lines.items()}


def _joined(text: str) -> str:
    return " ".join(text.split())
