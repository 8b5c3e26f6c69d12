"""What an option takes and what it is by default, in the words of a spec."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from typing import Any, Final

import attrs

from rnnkit.kinds import Plugin
from rnnkit.registry import entry_of, options
from rnnkit.registry.options import (
    Annotation,
    alternatives,
    default_of,
    element,
    noun,
    option_types,
    plugin_kind,
)
from rnnkit_docs.markdown_text import escaped

BOUNDS: Final[dict[Callable[[Any, Any], bool], str]] = {
    operator.ge: "at least",
    operator.gt: "above",
    operator.le: "at most",
    operator.lt: "below",
}


def takes(want: Annotation, folder: str = "") -> str:
    """A type in words, with links to the kinds of plugin in it, whose pages are in `folder`."""
    item = element(want)
    if item is not None:
        return f"{takes(item, folder)}, or a list of them"
    kinds = [plugin_kind(choice) for choice in alternatives(want)]
    links = [f"[{kind.noun}]({folder}{page(kind)})" for kind in kinds if kind]
    return " or ".join(links or [escaped(noun(choice)) for choice in alternatives(want)])


def page(kind: type[Plugin]) -> str:
    """The page of a kind of plugin."""
    return f"{kind.group.removeprefix('rnnkit.')}.md"


def bounds(field: attrs.Attribute[Any]) -> str:
    """What the validators of a number ask for, such as ", at least 0, below 1"; empty if nothing."""
    found = options.bounds(field)
    return "".join(
        f", {BOUNDS[op]} {bound:{',' if type(bound) is int else 'g'}}" for op, bound in found
    )


def default(field: attrs.Attribute[Any]) -> str:
    """As a spec writes it; empty if a spec must or may leave nothing to it."""
    value = default_of(field)
    return "" if value is None or value is attrs.NOTHING else as_toml(value)


def as_toml(value: object) -> str:
    """A default value as TOML."""
    if isinstance(value, Plugin):
        return _plugin(value)
    if isinstance(value, tuple):
        items = [as_toml(item) for item in value]
        return items[0] if len(items) == 1 else f"[{', '.join(items)}]"
    return json.dumps(value, ensure_ascii=False)


def _plugin(plugin: Plugin) -> str:
    """By name, with the options that are not at their own defaults."""
    entry = entry_of(plugin)
    name = json.dumps(entry.name if entry else type(plugin).__name__)
    fields = attrs.fields_dict(type(plugin))  # type: ignore[arg-type]  # every plugin is an attrs class
    given = [
        f"{key} = {as_toml(getattr(plugin, key))}"
        for key in option_types(type(plugin))
        if getattr(plugin, key) not in (None, fields[key].default)
    ]
    return f"{{ use = {', '.join([name, *given])} }}" if given else name
