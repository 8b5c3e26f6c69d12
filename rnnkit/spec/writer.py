"""A spec back into TOML, with every default filled in, the way a person would have written it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs

from rnnkit.errors import SpecError
from rnnkit.kinds import Plugin
from rnnkit.options import is_option
from rnnkit.registry import entry_of
from rnnkit.spec.schema import Spec


def write_spec(spec: Spec, *, qualified: bool = False) -> str:
    """The resolved spec as TOML: reading it gives an equal spec.

    Args:
        spec: to write.
        qualified: name every plugin as `package:name`, which no package that is installed later can claim.

    Raises:
        SpecError: a plugin in it is not registered by any installed package.
    """
    head, *tables = _tables("", spec, "[{}]", qualified)
    return "\n\n".join([head.strip(), *tables]) + "\n"


def _tables(name: str, table: Any, header: str, qualified: bool) -> Iterator[str]:
    """The table itself, then those below it, each as a block of lines."""
    lines = [header.format(name)] if name else []
    below: list[tuple[str, Any, str]] = []
    for key, value in _set_options(table):
        path = f"{name}.{key}" if name else key
        if _is_table(value):
            below.append((path, value, "[{}]"))
        elif isinstance(value, tuple) and value and all(map(_is_table, value)):
            below.extend((path, row, "[[{}]]") for row in value)
        else:
            lines.append(f"{key} = {_inline(value, qualified)}")
    yield "\n".join(lines)
    for path, value, kind in below:
        yield from _tables(path, value, kind, qualified)


def _is_table(value: object) -> bool:
    return attrs.has(type(value)) and not isinstance(value, Plugin)


def _set_options(table: Any) -> Iterator[tuple[str, object]]:
    for field in attrs.fields(type(table)):
        value = getattr(table, field.name)
        if is_option(field) and value is not None:
            yield field.name, value


def _inline(value: object, qualified: bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        items = ", ".join(_inline(item, qualified) for item in value)
        return items if len(value) == 1 and isinstance(value[0], Plugin) else f"[{items}]"
    options = [f"{key} = {_inline(v, qualified)}" for key, v in _set_options(value)]
    if isinstance(value, Plugin):
        use = f'"{_registered_name(value, qualified)}"'
        options = [f"use = {use}", *options]
        if len(options) == 1:
            return use
    return f"{{ {', '.join(options)} }}"


def _registered_name(plugin: Plugin, qualified: bool) -> str:
    entry = entry_of(plugin)
    if entry is None:
        cls = type(plugin)
        raise SpecError(
            f"{cls.__module__}.{cls.__qualname__} cannot be written into a spec: no installed package "
            f"registers it; declare it under the entry-point group {cls.group!r}"
        )
    return entry.full_name if qualified else entry.spec_name
