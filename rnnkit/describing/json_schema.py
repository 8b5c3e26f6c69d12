"""The JSON Schema of specs, with the plugins that are installed here: what editors complete and check a spec by."""

from __future__ import annotations

import operator
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs

from rnnkit.describing.plugin_card import card
from rnnkit.kinds import KINDS, Plugin
from rnnkit.registry import Entry, entry_of, usable
from rnnkit.registry.docstrings import attributes, paragraphs
from rnnkit.registry.options import (
    Annotation,
    alternatives,
    bounds,
    default_of,
    element,
    is_option,
    is_table,
    option_types,
    plugin_kind,
    validators,
)
from rnnkit.spec import Spec
from rnnkit.spec.writer import plain

Schema: TypeAlias = dict[str, Any]

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
"""The newest one that editors of TOML know."""

FILE: Final = "rnnkit.schema.json"
"""What a spec that `rnnkit new` writes calls the schema beside it."""

BOUNDS: Final[dict[Callable[[Any, Any], bool], str]] = {
    operator.ge: "minimum",
    operator.gt: "exclusiveMinimum",
    operator.le: "maximum",
    operator.lt: "exclusiveMaximum",
}

SCALARS: Final[dict[Annotation, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
}


def spec_schema() -> Schema:
    """The schema; plugins that cannot be used are not in it."""
    return {
        "$schema": DRAFT,
        "title": "A spec of rnnkit",
        **_table(Spec, attributes(Spec)),
        "$defs": {name: made for kind in KINDS for name, made in _of_kind(kind).items()},
    }


def _of_kind(kind: type[Plugin]) -> Schema:
    """The definition of each plugin as a table, and that of any plugin of the kind."""
    tables: Schema = {}
    choices: list[Schema] = []
    for entry, cls in usable(kind):
        shown = card(entry)
        names = list(dict.fromkeys((entry.spec_name, entry.full_name)))
        about = "\n\n".join(filter(None, (shown.summary, shown.description, shown.source)))
        table = _table(cls, {option.name: option.doc for option in shown.options})
        properties = {"use": {"enum": names, "description": about}, **table["properties"]}
        tables[_name(entry)] = {
            **table,
            "title": entry.name,
            "description": about,
            "properties": properties,
        }
        if not table["required"]:
            choices += [{"const": name, "description": about} for name in names]
        choices.append({"allOf": [_reference(_name(entry))], "required": ["use"]})
    return {**tables, kind.noun: {"anyOf": choices}}


def _name(entry: Entry) -> str:
    return f"{entry.kind.noun}.{entry.package}.{entry.name}"


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _table(cls: type[Any], said: Mapping[str, str]) -> Schema:
    """A table that is read into this class, and what is said of its keys."""
    fields = {f.name: f for f in attrs.fields(cls) if is_option(f)}
    return {
        "type": "object",
        "description": "\n\n".join(paragraphs(cls.__doc__)),
        "properties": {
            name: _key(want, fields[name], said.get(name, ""))
            for name, want in option_types(cls).items()
        },
        "required": [f.name for f in fields.values() if f.default is attrs.NOTHING],
        "additionalProperties": False,
    }


def _key(want: Annotation, field: attrs.Attribute[Any], said: str) -> Schema:
    default = default_of(field)
    made = _value(want, default)
    for compare, bound in bounds(field):
        made[BOUNDS[compare]] = bound
    for validator in validators(field):
        if hasattr(validator, "min_length"):
            made["minItems"] = validator.min_length
        elif hasattr(validator, "options"):
            made["enum"] = list(validator.options)
    if said:
        made["description"] = said
    if default is not None and default is not attrs.NOTHING and not is_table(type(default)):
        made["default"] = plain(default)
    return made


def _value(want: Annotation, default: object) -> Schema:
    made = [schema for choice in alternatives(want) for schema in _choices(choice, default)]
    return made[0] if len(made) == 1 else {"anyOf": made}


def _choices(want: Annotation, default: object) -> Sequence[Schema]:
    """What a value of this type may be; its default is whose options stand in a table without `use`."""
    item, kind = element(want), plugin_kind(want)
    if item is not None:
        first = default[0] if isinstance(default, tuple) and default else None
        one = _value(item, first)
        array = {"type": "array", "items": one}
        return [one, array] if any(map(plugin_kind, alternatives(item))) else [array]
    if kind is not None:
        entry = entry_of(default) if isinstance(default, kind) else None
        return [_reference(kind.noun), *([_reference(_name(entry))] if entry else [])]
    if typing.get_origin(want) is Literal:
        return [{"enum": list(typing.get_args(want))}]
    if want in SCALARS:
        return [{"type": SCALARS[want]}]
    assert isinstance(want, type)
    return [_table(want, attributes(want))]
