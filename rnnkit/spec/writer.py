"""A spec back into TOML, with every default filled in, the way a person would have written it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs

from rnnkit.errors import SpecError
from rnnkit.kinds import Plugin
from rnnkit.registry import entry_of
from rnnkit.registry.options import element, is_option, is_table, option_types
from rnnkit.spec.places import BARE
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
    wanted = option_types(type(table))
    for key, value in _set_options(table):
        path = f"{name}.{key}" if name else key
        if value == () and is_table(element(wanted[key])):
            continue  # `[[group]]` could not be added below `group = []`
        if is_table(type(value)):
            below.append((path, value, "[{}]"))
        elif isinstance(value, tuple) and value and all(is_table(type(row)) for row in value):
            below.extend((path, row, "[[{}]]") for row in value)
        else:
            lines.append(f"{key} = {inline(plain(value, qualified))}")
    yield "\n".join(lines)
    for path, value, kind in below:
        yield from _tables(path, value, kind, qualified)


def _set_options(table: Any) -> Iterator[tuple[str, object]]:
    for field in attrs.fields(type(table)):
        if is_option(field) and (value := getattr(table, field.name)) is not None:
            yield field.name, value


def inline(value: object) -> str:
    """A value, as `tomllib` has it, as TOML in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(inline, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(k)} = {inline(v)}' for k, v in value.items())} }}"
    return str(value)


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else inline(key)


def plain(value: object, qualified: bool = False) -> object:
    """The value, as `tomllib` has it, that is read back as this one."""
    if isinstance(value, tuple):
        items = [plain(item, qualified) for item in value]
        return items[0] if len(value) == 1 and isinstance(value[0], Plugin) else items
    if not attrs.has(type(value)):
        return value
    options = {key: plain(v, qualified) for key, v in _set_options(value)}
    if not isinstance(value, Plugin):
        return options
    name = _registered_name(value, qualified)
    return {"use": name, **options} if options else name


def _registered_name(plugin: Plugin, qualified: bool) -> str:
    entry = entry_of(plugin)
    if entry is None:
        cls = type(plugin)
        raise SpecError(
            f"{cls.__module__}.{cls.__qualname__} cannot be written into a spec: no installed package "
            f"registers it; declare it under the entry-point group {cls.group!r}"
        )
    return entry.full_name if qualified else entry.spec_name
