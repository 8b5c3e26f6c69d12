"""The types that an option may have, whether of a plugin or of a table of the spec.

`bool`, `int`, `float`, `str`, `Literal[...]`, a plugin kind, a frozen attrs class (a table), a choice of
these with `|`, and `tuple[X, ...]` of them. `None` stands for "left open" and can only be a default, as TOML
has no word for it.
"""

from __future__ import annotations

import numbers
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias, TypeGuard

import attrs

from rnnkit.kinds import KINDS, Plugin

Annotation: TypeAlias = object
"""A type as written in a class body, resolved; Python has no better static type for it."""

SCALARS: tuple[type, ...] = (bool, int, float, str)


def option_types(cls: type[Any]) -> dict[str, Annotation]:
    """Option name -> resolved type, in the order of the class's fields.

    Raises:
        NameError: an annotation names something that its module does not define.
    """
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in attrs.fields(cls) if is_option(field)}


def is_option(field: attrs.Attribute[Any]) -> bool:
    """Whether users set the field; metadata `{"option": False}` says that they do not."""
    return field.init and field.metadata.get("option", True) is True


def unset(table: object) -> list[str]:
    """The options that have no value in a table or plugin: its class has another `__init__` than that of attrs."""
    cls: type[Any] = type(table)
    fields = attrs.fields(cls) if attrs.has(cls) else ()
    return [field.name for field in fields if is_option(field) and not hasattr(table, field.name)]


def default_of(field: attrs.Attribute[Any]) -> object:
    """The default of a field, made if a factory makes it; `attrs.NOTHING` if there is none.

    None if it follows from other fields.
    """
    default: Any = field.default
    if not isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # typed as a function
        return default
    return None if default.takes_self else default.factory()


def validators(field: attrs.Attribute[Any]) -> Iterator[Any]:
    """The validators of a field, out of those that hold others."""
    yield from _inner(field.validator)


def bounds(field: attrs.Attribute[Any]) -> Iterator[tuple[Callable[[Any, Any], bool], float]]:
    """What the validators of a number ask for: `operator.ge`, 1 for at least 1."""
    for validator in validators(field):
        if hasattr(validator, "bound"):
            yield validator.compare_func, validator.bound


def _inner(validator: Any) -> Iterator[Any]:
    held = (*getattr(validator, "_validators", ()), getattr(validator, "validator", None))
    inside = [inner for inner in held if inner is not None]
    for inner in inside:
        yield from _inner(inner)
    if not inside and validator is not None:
        yield validator


def alternatives(want: Annotation) -> tuple[Annotation, ...]:
    """The members of a union, None left out; a type that is no union is its own only member."""
    if typing.get_origin(want) in (typing.Union, types.UnionType):
        return tuple(t for t in typing.get_args(want) if t is not type(None))
    return (want,)


def element(want: Annotation) -> Annotation | None:
    """X of `tuple[X, ...]`, else None."""
    args = typing.get_args(want)
    variadic = typing.get_origin(want) is tuple and len(args) == 2 and args[1] is Ellipsis
    item: Annotation | None = args[0] if variadic else None
    return item


def array_depth(want: Annotation) -> int:
    """How many arrays lie in each other in a value of this type; 0 if it takes none."""
    items = [item for item in map(element, alternatives(want)) if item is not None]
    return max((1 + array_depth(item) for item in items), default=0)


def plugin_kind(want: Annotation) -> type[Plugin] | None:
    """The kind of plugin that this type asks for, else None."""
    origin = typing.get_origin(want) or want
    return next((k for k in KINDS if isinstance(origin, type) and issubclass(origin, k)), None)


def is_table(want: Annotation) -> TypeGuard[type[Any]]:
    """Whether a spec writes a value of this type as a table of keys, and not as a plugin."""
    return isinstance(want, type) and attrs.has(want) and plugin_kind(want) is None


def table_of(want: Annotation) -> type[Any] | None:
    """The table that a value of this type may be, left open or not; None if it is none."""
    return next((each for each in alternatives(want) if is_table(each)), None)


def noun(want: Annotation) -> str:
    """The type in the words of a message."""
    kind, item = plugin_kind(want), element(want)
    if len(alternatives(want)) > 1 or want not in alternatives(want):
        return " or ".join(noun(t) for t in alternatives(want))
    if kind:
        return f"{kind.noun} name"
    if item is not None:
        return f"array of {noun(item)}"
    if typing.get_origin(want) is Literal:
        return f"one of {', '.join(map(repr, typing.get_args(want)))}"
    words = {bool: "true or false", int: "whole number", float: "number", str: "string"}
    return words[want] if isinstance(want, type) and want in words else "table"


def unreadable_options(cls: type) -> Iterator[str]:
    """A sentence for each option that no spec could set, or whose default it could not."""
    try:
        hints = option_types(cls)
    except NameError as e:
        yield f"the type of an option cannot be resolved: {e}"
        return
    for name, want in hints.items():
        if not _readable(want):
            yield f"option {name!r} has type {want}, which a spec cannot hold"
        elif not _fits(default_of(getattr(attrs.fields(cls), name)), want):
            yield f"the default of option {name!r} is no {noun(want)}"


def _fits(default: object, want: Annotation) -> bool:
    """Whether a default is of its option's type; None leaves any option open."""
    if default is None or default is attrs.NOTHING:
        return True
    return any(_fits_one(default, choice) for choice in alternatives(want))


def _fits_one(default: object, want: Annotation) -> bool:
    item = element(want)
    if typing.get_origin(want) is Literal:
        return default in typing.get_args(want)
    if item is not None:
        return isinstance(default, tuple) and all(_fits(each, item) for each in default)
    if want is int or want is float:
        number = numbers.Integral if want is int else numbers.Real
        return isinstance(default, number) and not isinstance(default, bool)
    kind = plugin_kind(want) or want
    return isinstance(kind, type) and isinstance(default, kind) and not unset(default)


def _readable(want: Annotation) -> bool:
    if typing.get_origin(want) is Literal or want in SCALARS or plugin_kind(want):
        return True
    item = element(want)
    if item is not None:
        return _readable(item)
    members = alternatives(want)
    if len(members) > 1 or want not in members:
        return all(_readable(t) for t in members)
    return is_table(want)
