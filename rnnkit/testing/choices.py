"""Values of one option worth checking, from its type, its validators, and the constants of the plugin's code."""

from __future__ import annotations

import operator
import typing
from collections.abc import Iterator
from itertools import islice
from types import NoneType
from typing import Any, Final, Literal

import attrs

from rnnkit.errors import RegistryError
from rnnkit.kinds import Activation, Plugin
from rnnkit.registry import load, names
from rnnkit.registry.options import alternatives, element, is_option, option_types, plugin_kind

NUDGE: Final = 1e-2
"""How far inside an edge that is not itself allowed."""

FLOATS: Final = (0.3, 1.7, -0.7, 12.0, 0.03)
"""Of an option without bounds: several scales and both signs."""

INTS: Final = (1, 2, 3, 5, 0)

MOST: Final = 1e3
"""The largest constant of the code that is tried as a value."""

NESTED: Final = 3
"""How many values of each option of a table or of a nested plugin."""

WORDS: Final = 8


@attrs.frozen
class Choice:
    """A value to try.

    Attributes:
        value: of the option.
        promised: whether the type or a validator says that it is allowed; others are guesses, which a plugin may
            refuse, or not be able to compute with.
    """

    value: Any
    promised: bool = False


def options(cls: type[Any]) -> list[attrs.Attribute[Any]]:
    """The fields that users set."""
    return [field for field in attrs.fields(cls) if is_option(field)]


def choices(
    validator: Any, want: object, default: Any, constants: frozenset[object]
) -> list[Choice]:
    """Values of an option of type `want`, without its default."""
    found = list(_of_type(validator, want, default, constants))
    if NoneType in typing.get_args(want):
        found.insert(0, Choice(None, promised=True))
    kept: list[Choice] = []
    for choice in found:
        if not any(_same(choice.value, value) for value in (default, *(k.value for k in kept))):
            kept.append(choice)
    return kept


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b


def _of_type(
    validator: Any, want: object, default: Any, constants: frozenset[object]
) -> Iterator[Choice]:
    listed = list(_listed(validator))
    if listed:
        yield from (Choice(value, promised=True) for value in listed)
        return
    for kind in alternatives(want):
        item = element(kind)
        if plugin_kind(kind) is not None:
            yield from _plugins(kind, default)
        elif typing.get_origin(kind) is Literal:
            yield from (Choice(value, promised=True) for value in typing.get_args(kind))
        elif item is not None:
            yield from _tuples(validator, item, default, constants)
        elif kind is bool:
            yield from (Choice(False, promised=True), Choice(True, promised=True))
        elif kind is int or kind is float:
            yield from _numbers(validator, kind, default, constants)
        elif kind is str:
            words = sorted(c for c in constants if isinstance(c, str) and c != default)
            yield from map(Choice, words[:WORDS])
        elif isinstance(kind, type) and attrs.has(kind):
            yield from _tables(kind, default, constants)


def _numbers(
    validator: Any, number: type, default: Any, constants: frozenset[object]
) -> Iterator[Choice]:
    """Edges and what lies between two of them; else guesses at several scales, and beyond the code's constants."""
    for edge in _edges(validator, number):
        yield Choice(edge, promised=True)
    bounds = sorted(float(bound) for _, bound in _bounds(validator))
    if len(bounds) == 2 and number is float:
        # Not halfway, and not short in binary: a dropout rate of 0.5 cannot tell rate from 1 - rate.
        yield Choice(bounds[0] + 0.3 * (bounds[1] - bounds[0]), promised=True)
    known = default if type(default) in (int, float) else None
    if number is int:
        yield from map(Choice, ([] if known is None else [known + 1, known - 1]))
        yield from map(Choice, INTS)
        return
    inside = [] if len(bounds) != 1 else [bounds[0] + sign for sign in (0.3, -0.3)]
    near = [] if not known else [0.5 * known, 3.0 * known]
    beyond = [1.25 * c for c in constants if type(c) in (int, float) and 1.7 < abs(c) < MOST]  # type: ignore[operator, arg-type]  # a number
    yield from map(Choice, [*FLOATS, *inside, *near, *sorted(beyond)])


def _tuples(
    validator: Any, item: object, default: Any, constants: frozenset[object]
) -> Iterator[Choice]:
    """None, one, two and three elements; and as many as the default has."""
    members = getattr(validator, "member_validator", None)
    values = [c.value for c in _of_type(members, item, attrs.NOTHING, constants)] or [None]
    lengths = {1, 2, 3, *([len(default)] if isinstance(default, tuple) else [])}
    for length in sorted(lengths):
        yield Choice(tuple(values[i % len(values)] for i in range(length)))
        yield Choice(tuple(values[(i + 1) % len(values)] for i in range(length)))
    yield Choice(())


def _tables(kind: type, default: Any, constants: frozenset[object]) -> Iterator[Choice]:
    """The default with one of its own options changed."""
    try:
        base = default if isinstance(default, kind) else kind()
    except (TypeError, ValueError):
        return
    hints = option_types(kind)
    for field in options(kind):
        now = getattr(base, field.name)
        found = choices(field.validator, hints[field.name], now, constants)
        for choice in islice(found, NESTED):
            made = _evolved(base, field, choice.value)
            if made is not None:
                yield Choice(made, choice.promised)


def _evolved(base: Any, field: attrs.Attribute[Any], value: Any) -> Any:
    try:
        return attrs.evolve(base, **{field.alias or field.name: value})
    except (TypeError, ValueError):
        return None


def _plugins(want: object, default: Any) -> Iterator[Choice]:
    """Other plugins of the kind, and the nested one with other options; of activations, every one there is."""
    from rnnkit.testing.constants import constants

    kind = plugin_kind(want)
    origin = typing.get_origin(want) or want
    assert kind is not None
    assert isinstance(origin, type)
    if isinstance(default, Plugin):
        yield from _tables(type(default), default, constants(type(default)))
    fitting = (Choice(made, promised=kind is Activation) for made in without_options(kind, origin))
    yield from fitting if kind is Activation else islice(fitting, NESTED)


def without_options(kind: type[Plugin], origin: type) -> Iterator[Plugin]:
    """Every installed plugin of a kind that is an `origin`, loads, and needs no options."""
    for name in names(kind):
        try:
            made = load(kind, name)()
        except (RegistryError, TypeError):
            continue
        if isinstance(made, origin):
            yield made


def examples(field: attrs.Attribute[Any], want: object, constants: frozenset[object]) -> list[Any]:
    """Values for an option that has no default, the likeliest first."""
    usual: list[Any] = []
    for kind in alternatives(want):
        if kind is int:
            usual += [3, *range(1, 17), 32, 64]
        elif kind is float:
            usual += [0.5]
        elif kind is str:
            usual += ["a"]
    return usual + [
        choice.value for choice in choices(field.validator, want, attrs.NOTHING, constants)
    ]


def _listed(validator: Any) -> Iterator[object]:
    """What `in_` lists."""
    for inner in _parts(validator):
        listed = getattr(inner, "options", None)
        if listed is not None:
            yield from islice(listed, 12)


def _edges(validator: Any, number: type) -> Iterator[float | int]:
    """The smallest and largest values that `ge`, `gt`, `le` and `lt` leave."""
    for compare, bound in _bounds(validator):
        inward = 1 if compare in (operator.ge, operator.gt) else -1
        if compare in (operator.ge, operator.le):
            yield number(bound)
        elif number is int:
            yield int(bound) + inward
        else:
            yield float(bound + inward * NUDGE * max(1.0, abs(bound)))


def _bounds(validator: Any) -> Iterator[tuple[Any, Any]]:
    for inner in _parts(validator):
        if hasattr(inner, "bound") and hasattr(inner, "compare_func"):
            yield inner.compare_func, inner.bound


def _parts(validator: Any) -> Iterator[Any]:
    """A validator, and those that it is made of."""
    if validator is None:
        return
    yield validator
    for inner in getattr(validator, "_validators", ()):
        yield from _parts(inner)
    yield from _parts(getattr(validator, "validator", None))
