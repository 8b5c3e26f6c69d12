"""Of what form the tables of assignments and of arguments are: the first value of another one is told with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from rnnkit.errors import CourseError, closest, quoted

Form: TypeAlias = tuple[str, Callable[[Any], bool]]
"""What a value is called, and whether one is of this form."""


def _all(of: Callable[[Any], bool], values: Iterable[Any]) -> bool:
    return all(map(of, values))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _table(value: Any) -> bool:
    return isinstance(value, dict)


def _list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


ANYTHING: Final[Form] = ("anything", lambda value: True)
TEXT: Final[Form] = ("a text", _text)
TEXTS: Final[Form] = ("an array of texts", lambda v: isinstance(v, list) and _all(_text, v))
TABLE: Final[Form] = ("a table", _table)
TABLES: Final[Form] = (
    "tables, one for each name",
    lambda v: _table(v) and _all(_table, v.values()),
)
LISTS: Final[Form] = (
    "a table of arrays with values",
    lambda v: _table(v) and _all(_list, v.values()),
)
SWITCH: Final[Form] = ("true or false", lambda value: isinstance(value, bool))
POINTS: Final[Form] = (
    "a number from 0",
    lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < 1e6,
)
PRINTED: Final[Form] = (
    "a table with the tables of arguments and the array of outputs",
    lambda v: (
        TABLES[1](v)
        and _all(lambda t: _table(t.get("arguments")) and _list(t.get("outputs")), v.values())
    ),
)


def check_form(tree: Mapping[str, Any], forms: Mapping[str, Form], where: str) -> None:
    """That a table has no other keys than these, and each of its form.

    Raises:
        CourseError: it has, or one is of another form.
    """
    for key, value in tree.items():
        if key not in forms:
            raise CourseError(f"{where}: {key}: {closest(key, forms)}")
        noun, fits = forms[key]
        if not fits(value):
            raise CourseError(f"{where}: {key}: {quoted(value)} is not {noun}")
