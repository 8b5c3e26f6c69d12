"""The numbers and words that a plugin's code is written with: thresholds are among them, and cases go beyond.

A mistake often sits behind a comparison with a constant of the code, where random numbers seldom come; property tests
such as Hypothesis collect constants for the same reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType

from rnnkit.kinds import Plugin


def own_classes(cls: type[Plugin]) -> list[type]:
    """The class and those of its bases that are not the interface's."""
    return [
        base
        for base in cls.__mro__
        if issubclass(base, Plugin) and not base.__module__.startswith("rnnkit.kinds")
    ]


def constants(cls: type[Plugin]) -> frozenset[object]:
    """Numbers and single words in the methods of a class, in functions beside it, and behind the names they use."""
    found: set[object] = set()
    seen: set[FunctionType] = set()
    todo = [f for base in own_classes(cls) for f in vars(base).values() if inspect.isfunction(f)]
    while todo:
        function = todo.pop()
        if function in seen:
            continue
        seen.add(function)
        for code in _nested(function.__code__):
            found.update(_plain(code.co_consts))
            named = [function.__globals__.get(name) for name in code.co_names]
            found.update(_plain(tuple(named)))
            todo += [
                f for f in named if inspect.isfunction(f) and f.__module__ == function.__module__
            ]
    return frozenset(found)


def thresholds(cls: type[Plugin], above: int, up_to: int) -> int:
    """One more than the largest whole number in the code that is in this range, else 0."""
    sizes = [c for c in constants(cls) if type(c) is int and above <= c < up_to]
    return max(sizes, default=-1) + 1


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _nested(const)


def _plain(values: object) -> Iterator[object]:
    """The numbers and words in (tuples of) values."""
    if isinstance(values, tuple | frozenset):
        for value in values:
            yield from _plain(value)
    elif type(values) in (int, float) or (isinstance(values, str) and values.isidentifier()):
        yield values
