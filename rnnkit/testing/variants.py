"""Options to check a plugin with: its defaults, what its validators allow (edges, and between), what its author adds.

A plugin may have a class method `variants()` that returns further instances.
"""

from __future__ import annotations

import inspect
import operator
import typing
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeVar

import attrs

from rnnkit.errors import RegistryError
from rnnkit.kinds import Activation, Plugin
from rnnkit.registry import load, names
from rnnkit.registry.options import alternatives, is_option, option_types, plugin_kind

K = TypeVar("K", bound=Plugin)

NUDGE: Final = 1e-2
"""How far inside an edge that is not itself allowed."""

EXAMPLES: Final[dict[type, object]] = {int: 3, float: 0.5, str: "a", bool: False}
"""Values of options that have no default."""


def variants(cls: type[K]) -> Iterator[tuple[str, K]]:
    """(label, instance): the defaults first, labelled with an empty text; each other option in turn."""
    hints = option_types(cls)
    fields = [f for f in attrs.fields(typing.cast(Any, cls)) if is_option(f)]
    required = {f.name: _example(f, hints[f.name]) for f in fields if f.default is attrs.NOTHING}
    base = cls(**required)
    yield "", base
    seen = [base]
    for field in fields:
        for value in _values(field, hints[field.name]):
            try:
                made = cls(**{**required, field.name: value})
            except (TypeError, ValueError):
                continue  # not allowed beside the other options' defaults
            if made not in seen:
                seen.append(made)
                yield f"{field.name}={_shown(value)}", made
    extra = getattr(cls, "variants", None)
    if extra is not None and inspect.ismethod(extra):
        for i, made in enumerate(extra()):
            if made not in seen:
                seen.append(made)
                yield f"variants[{i}]", made


def _example(field: attrs.Attribute[Any], want: object) -> object:
    """A value for an option without a default, moved to where the validators allow it."""
    kind = plugin_kind(want)
    if kind is not None:
        return next(_without_options(kind))
    for choice in alternatives(want):
        if typing.get_origin(choice) is Literal:
            return typing.get_args(choice)[0]
        if isinstance(choice, type) and choice in EXAMPLES:
            value = EXAMPLES[choice]
            candidates = [value, *_edges(field, choice)] if choice in (int, float) else [value]
            return next((v for v in candidates if _allowed(field, v)), value)
    return EXAMPLES[str]


def _values(field: attrs.Attribute[Any], want: object) -> Iterator[object]:
    """Values of one option worth checking."""
    kind = plugin_kind(want)
    if kind is not None:
        if kind is Activation:
            yield from _without_options(kind)
        return
    for choice in alternatives(want):
        if choice is bool:
            yield from (False, True)
        elif typing.get_origin(choice) is Literal:
            yield from typing.get_args(choice)
        elif choice in (int, float):
            yield from _edges(field, typing.cast(type, choice))
            if choice is float:
                yield from _between(field)


def _without_options(kind: type[Plugin]) -> Iterator[Plugin]:
    """Every plugin of a kind that loads and needs no options."""
    for name in names(kind):
        try:
            yield load(kind, name)()
        except (RegistryError, TypeError):
            continue


def _edges(field: attrs.Attribute[Any], number: type) -> Iterator[float | int]:
    """The smallest and largest values that `ge`, `gt`, `le` and `lt` leave."""
    for compare, bound in _bounds(field.validator):
        inward = 1 if compare in (operator.ge, operator.gt) else -1
        if compare in (operator.ge, operator.le):
            yield number(bound)
        elif number is int:
            yield int(bound) + inward
        else:
            yield float(bound + inward * NUDGE * max(1.0, abs(bound)))


def _between(field: attrs.Attribute[Any]) -> Iterator[float]:
    """Of an option with two bounds, a value between them that is not halfway, and not short in binary.

    A dropout rate of 0.5 cannot tell `rate` from `1 - rate`, and hides what is rounded to float32.
    """
    bounds = sorted(float(bound) for _, bound in _bounds(field.validator))
    if len(bounds) == 2:
        low, high = bounds
        yield low + 0.3 * (high - low)


def _bounds(validator: Any) -> Iterator[tuple[Any, Any]]:
    if validator is None:
        return
    for inner in getattr(validator, "_validators", ()):
        yield from _bounds(inner)
    yield from _bounds(getattr(validator, "validator", None))
    if hasattr(validator, "bound") and hasattr(validator, "compare_func"):
        yield validator.compare_func, validator.bound


def _allowed(field: attrs.Attribute[Any], value: object) -> bool:
    return all(compare(value, bound) for compare, bound in _bounds(field.validator))


def _shown(value: object) -> str:
    return type(value).__name__ if isinstance(value, Plugin) else repr(value)
