"""The array types of every interface, and the containers that plugins keep their arrays in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs
import numpy as np
import numpy.typing as npt

# NumPy's stubs reject in-place arithmetic on NDArray[np.inexact], so values are typed floating.
Array: TypeAlias = npt.NDArray[np.floating[Any]]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]
Mask: TypeAlias = npt.NDArray[np.bool_]
Scalar: TypeAlias = np.floating[Any]
DType: TypeAlias = np.dtype[np.floating[Any]]
Rng: TypeAlias = np.random.Generator


@attrs.frozen
class Arrays:
    """A container of arrays: every field is an `Array`, or again an `Arrays`, or a tuple of such."""


@attrs.frozen
class Params(Arrays):
    """Parameters of a layer or a cell. Gradients come in the same class, shape for shape."""


@attrs.frozen
class NoParams(Params):
    """For layers and cells without parameters of their own."""


@attrs.frozen
class State(Arrays):
    """Recurrent state. Slot `h` (N, H) is the cell's output; subclasses add further (N, ·) slots."""

    h: Array  # (N, H)


@attrs.frozen
class Slots(Arrays):
    """What an optimizer remembers of one array between updates."""


A = TypeVar("A", bound=Arrays)


def map_arrays(f: Callable[..., Array], a: A, *others: A) -> A:
    """Apply `f` array by array: the same container, holding `f(a.x, *(o.x for o in others))`."""
    made: dict[str, Any] = {}
    for name, alias in _fields(type(a)):
        value, rest = getattr(a, name), [getattr(other, name) for other in others]
        made[alias] = _mapped(f, value, *rest)
    return type(a)(**made)


def _mapped(f: Callable[..., Array], value: Any, *others: Any) -> Any:
    """The same for what is in a field."""
    if isinstance(value, Arrays):
        return map_arrays(f, value, *others)
    if isinstance(value, tuple):
        return tuple(_mapped(f, *each) for each in zip(value, *others, strict=True))
    return f(value, *others)


def named_arrays(a: Arrays, prefix: str = "") -> Iterator[tuple[str, Array]]:
    """Every array with its dotted name, in the order of the fields; in a tuple, its place is in the name."""
    for name, _ in _fields(type(a)):
        yield from _named(getattr(a, name), f"{prefix}{name}")


def _named(value: Any, name: str) -> Iterator[tuple[str, Array]]:
    """The same for what is in a field."""
    if isinstance(value, Arrays):
        yield from named_arrays(value, f"{name}.")
    elif isinstance(value, tuple):
        for i, each in enumerate(value):
            yield from _named(each, f"{name}.{i}")
    else:
        yield name, value


def with_values(a: A, arrays: Mapping[str, Array], prefix: str) -> A:
    """The same container, holding `arrays[prefix + name]` for the array of each dotted name."""
    names = iter([f"{prefix}{name}" for name, _ in named_arrays(a)])
    return map_arrays(lambda _: arrays[next(names)], a)


def _fields(kind: type) -> tuple[tuple[str, str], ...]:
    """The name of each field, and what the class calls it when it is made."""
    if kind not in _known:
        _known[kind] = tuple(
            (field.name, field.alias or field.name) for field in attrs.fields(kind)
        )
    return _known[kind]


_known: dict[type, tuple[tuple[str, str], ...]] = {}
