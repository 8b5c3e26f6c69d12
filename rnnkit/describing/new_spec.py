"""A spec to start from: one that comes with rnnkit, with every key that there is and what each means."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from rnnkit.describing.json_schema import FILE
from rnnkit.describing.plugin_card import card
from rnnkit.kinds import Plugin
from rnnkit.registry import usable
from rnnkit.registry.docstrings import attributes, paragraphs
from rnnkit.registry.options import (
    Annotation,
    default_of,
    element,
    noun,
    option_types,
    plugin_kind,
    table_of,
)
from rnnkit.spec import Spec, parse_spec
from rnnkit.spec.origin import Origin
from rnnkit.spec.overrides import apply_overrides
from rnnkit.spec.places import show
from rnnkit.spec.shipped import shipped_spec
from rnnkit.spec.toml import parse
from rnnkit.spec.writer import inline, plain

START: Final = "scenes"
"""The spec to start from if none is named."""

WIDTH: Final = 100


def new_spec(start: str = START, cell: str | None = None, data: str | None = None) -> str:
    """The TOML of a spec that begins as one that comes with rnnkit.

    Args:
        start: its name.
        cell: of its recurrent layers; that of `start` if left open.
        data: a data folder; that of `start` if left open.

    Raises:
        SpecError: there is no such spec or cell.
    """
    text = shipped_spec(start)
    tree = parse(text)
    overrides = [] if data is None else [f"data.path={inline(data)}"]
    if cell is not None:
        layers = range(len(tree["model"]["rnn"]))
        overrides += [f"model.rnn[{i}].cell={inline(cell)}" for i in layers]
    spec = parse_spec(text, f"specs/{start}.toml", overrides)
    apply_overrides(tree, overrides, Origin())
    head = [
        f"#:schema ./{FILE}",
        *_comment(
            f'Begun from the spec "{start}" of rnnkit. Above each key stands what it means. A key behind a #, '
            "such as #seed, has its default: take the # away to set another value."
        ),
    ]
    return "\n".join([*head, *_table((), Spec, spec, tree)]) + "\n"


def _table(
    path: tuple[str, ...],
    cls: type[Any],
    table: Any,
    written: Mapping[str, Any],
    again: bool = False,
) -> Iterator[str]:
    """The lines of a table and of those below it; of the second of its kind, without what keys mean."""
    said = {} if again else attributes(cls)
    below = []
    for key, want in option_types(cls).items():
        item = element(want)
        kind = table_of(want if item is None else item)
        if kind is not None:
            below.append((key, kind, item is not None))
            continue
        if key in written:
            yield from _comment(_sentence(said.get(key, "")))
            yield from _options(getattr(table, key)) if key != "format" and not again else ()
            yield f"{key} = {inline(written[key])}"
        elif not again:
            yield from _comment(_sentence(said.get(key, "")))
            value = default_of(attrs.fields_dict(cls)[key])
            open_ = value is None or value is attrs.NOTHING
            yield f"#{key} = {'...  # ' + noun(want) if open_ else inline(plain(value))}"
    order = [*written, *(key for key, _, _ in below)]
    for key, kind, many in sorted(below, key=lambda row: order.index(row[0])):
        name, value, given = show((*path, key)), getattr(table, key), written.get(key, {})
        if not many:
            yield from ("", *_comment(_about(kind)), f"{'#' * (value is None)}[{name}]")
            yield from _table((*path, key), kind, value, given)
        else:
            if not value:
                yield from ("", *_comment(_about(kind)), f"#[[{name}]]")
                yield from _table((*path, key), kind, None, {})
            for i, (row, its) in enumerate(zip(value, given, strict=True)):
                yield from ("", *(() if i else _comment(_about(kind))), f"[[{name}]]")
                yield from _table((*path, key), type(row), row, its, again=i > 0)


def _options(value: object) -> Iterator[str]:
    """What may stand in the place of a plugin, and the options of the one that does."""
    if not isinstance(value, Plugin):
        return
    shown = card(type(value))
    kind = plugin_kind(type(value))
    assert kind is not None
    names = dict.fromkeys(entry.spec_name for entry, _ in usable(kind))
    yield from _comment(f"There is {', '.join(names)}.")
    if shown.options:
        yield from _comment(f'Options of "{shown.name}", as in {{ use = "{shown.name}", ... }}:')
    for option in shown.options:
        told = f"{option.name} = {option.default}  ({option.type}) {option.doc}".rstrip()
        yield from _comment(told, "  ")


def _about(cls: Annotation) -> str:
    """What a table is for, without its name."""
    summary, *_ = paragraphs(getattr(cls, "__doc__", None))
    return _sentence(summary.partition(": ")[2])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _comment(text: str, indent: str = "") -> list[str]:
    lead = f"# {indent}"
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=lead,
        subsequent_indent=f"{lead}  " if indent else lead,
        break_long_words=False,
        break_on_hyphens=False,
    )
