"""The built-in plugins of a kind, each from its class, its file's docstring and its entry point."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Final

import attrs

from rnnkit.describing.plugin_card import Card, Holder, Option, card
from rnnkit.kinds import KINDS, Plugin
from rnnkit.registry import Entry, entries_of, kind_called, load
from rnnkit.registry.docstrings import paragraphs
from rnnkit.registry.options import option_types
from rnnkit_docs.markdown_text import code, escaped, fenced, indented, table
from rnnkit_docs.option_words import bounds, default, page, takes

PACKAGE: Final = "rnnkit"
"""Only its plugins: others may be installed where the site is built."""


def markdown(noun: str) -> str:
    """A section for each plugin of the kind that users call by this noun."""
    return "\n\n".join(_section(entry) for entry in _entries(kind_called(noun)))


def overview(_: str = "") -> str:
    """A row for each kind: its entry-point group, what it is, and its plugins."""
    rows = []
    for kind in KINDS:
        links = [f"[{e.name}]({page(kind)}#{e.name})" for e in _entries(kind)]
        rows.append(
            (f"[{kind.noun}]({page(kind)})", escaped(paragraphs(kind.__doc__)[0]), ", ".join(links))
        )
    return table(["kind", "what it is", "plugins"], rows)


def _entries(kind: type[Plugin]) -> list[Entry]:
    return [entry for entry in entries_of(kind) if entry.package == PACKAGE]


def _section(entry: Entry) -> str:
    made, cls = card(entry), load(entry.kind, entry.full_name)
    file = Path(made.file)
    path = f"{'/'.join(made.target.partition(':')[0].split('.')[:-1])}/{file.name}"
    parts = [
        f"## {entry.name} {{ #{entry.name} }}",
        fenced(made.summary.replace("; ", "\n"), "text", "equation"),
        *map(escaped, made.notation.splitlines()),
        *map(escaped, made.description.splitlines()),
        _options(cls, made),
        fenced(made.imports, "python"),
        *(_arrays(holder) for holder in made.holders),
        *(f"*{escaped(line)}*" for line in made.source.splitlines()),
        f'??? quote "The whole plugin: {path}"',
        indented(fenced(inspect.getsource(inspect.getmodule(cls) or cls), "python")),
    ]
    return "\n\n".join(part for part in parts if part)


def _arrays(holder: Holder) -> str:
    arrays = (f"{code(name)} {escaped(shape)}".rstrip() for name, shape in holder.arrays.items())
    return f"{code(holder.name)} has {', '.join(arrays)}."


def _options(cls: type[Plugin], made: Card) -> str:
    fields = attrs.fields_dict(cls)  # type: ignore[arg-type]  # every plugin is an attrs class
    types = option_types(cls)
    rows = [
        (
            code(option.name),
            takes(types[option.name]) + bounds(fields[option.name]),
            _usual(option, fields),
            escaped(option.doc),
        )
        for option in made.options
    ]
    return table(["option", "takes", "default", "meaning"], rows) if rows else ""


def _usual(option: Option, fields: dict[str, attrs.Attribute[object]]) -> str:
    return code(default(fields[option.name])) or option.default
