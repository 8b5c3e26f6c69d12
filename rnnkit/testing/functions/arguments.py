"""What functions are called with: made by the names of their parameters, as tables in TOML say."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import attrs
import numpy as np

from rnnkit.errors import CourseError, quoted
from rnnkit.kinds import Rng
from rnnkit.spec.toml import parse
from rnnkit.system.limits import MOST_ELEMENTS
from rnnkit.system.why import Refused, check_ordinary
from rnnkit.testing.functions.finding import Function
from rnnkit.testing.functions.form import TABLE, TEXT, TEXTS, check_form

Recipe: TypeAlias = Any
"""How one argument is made: see arguments.toml."""

_LENGTH: Final = re.compile(r"(\d*)\*?([A-Za-z]\w*)?")
_RESERVED: Final = ("having", "named", "sizes")
_NOT_VARIED: Final = ("verbose", "debug")
"""Flags that change what is printed, and nothing that is computed."""


@attrs.frozen
class Arguments:
    """Tables of recipes, those that go first first.

    Attributes:
        tables: see arguments.toml.
        sizes: letter -> length.
    """

    tables: tuple[Mapping[str, Any], ...]
    sizes: Mapping[str, int]

    @classmethod
    def standard(cls) -> Self:
        """Those for names of the field."""
        text = resources.files(__package__).joinpath("arguments.toml").read_text(encoding="utf-8")
        return cls._of(parse(text), "arguments.toml")

    @classmethod
    def read(cls, file: Path) -> Self:
        """Those of a file, before the standard ones.

        Raises:
            CourseError: it cannot be read, or has mistakes.
        """
        own, standard = cls._of(toml_file(file), str(file)), cls.standard()
        return cls(own.tables + standard.tables, {**standard.sizes, **own.sizes})

    @classmethod
    def _of(cls, tree: Mapping[str, Any], where: str) -> Self:
        tables, sizes = tree.get("arguments", []), tree.get("sizes", {})
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            raise CourseError(f"{where}: arguments: begin each table with [[arguments]]")
        for unknown in set(tree) - {"arguments", "sizes"}:
            raise CourseError(f"{where}: {unknown}: there are only [sizes] and [[arguments]]")
        for table in tables:
            for key, form in (("sizes", TABLE), ("having", TEXTS), ("named", TEXT)):
                check_form({key: table[key]} if key in table else {}, {key: form}, where)
        check_form({"sizes": sizes}, {"sizes": TABLE}, where)
        for table in (sizes, *(t.get("sizes", {}) for t in tables)):
            for letter, n in table.items():
                if type(n) is not int or not 1 <= n <= MOST_ELEMENTS:
                    raise CourseError(f"{where}: sizes.{letter}: {quoted(n)} is no length")
        return cls(tuple(tables), sizes)

    def before(self, recipes: Mapping[str, Recipe]) -> Self:
        """With recipes that go before these."""
        return attrs.evolve(self, tables=(recipes, *self.tables)) if recipes else self

    def sizes_for(self, function: Function) -> dict[str, int]:
        """The length that each letter stands for in a function."""
        sizes = dict(self.sizes)
        for table in reversed([*self._that_count(function)]):
            sizes |= table.get("sizes", {})
        return sizes

    def recipes(self, function: Function) -> dict[str, Recipe]:
        """Parameter -> recipe, for a function; those with a default and no recipe are left out.

        Raises:
            CourseError: a parameter without a default has no recipe.
        """
        found = {}
        for name, parameter in inspect.signature(function).parameters.items():
            tables = (t for t in self._that_count(function) if name in t and name not in _RESERVED)
            table = next(tables, None)
            if table is not None:
                found[name] = table[name]
            elif _has_to_be_given(parameter):
                raise CourseError(
                    f"rnnkit does not know what {name!r} of {function.__name__} is; say it in a file and give "
                    f'that with --arguments:\n  [[arguments]]\n  {name} = "N D"'
                )
        return found

    def _that_count(self, function: Function) -> Iterator[Mapping[str, Any]]:
        parameters = inspect.signature(function).parameters
        for table in self.tables:
            has_all = set(table.get("having", ())) <= set(parameters)
            if has_all and table.get("named", "") in function.__name__:
                yield table


def toml_file(file: Path) -> dict[str, Any]:
    """What a TOML file holds.

    Raises:
        CourseError: it cannot be read, or has a whole number that no array could hold.
    """
    try:
        check_ordinary(file)
        tree = parse(file.read_text(encoding="utf-8"))
    except Refused as e:
        raise CourseError(f"{file} {e}") from e
    except OSError as e:
        raise CourseError(f"{file}: {e.strerror or e}") from e
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise CourseError(f"{file}: {e}") from e
    for key in _too_large(tree):
        raise CourseError(f"{file}: {key}: whole numbers have at most 64 bits")
    return tree


def _too_large(value: object, key: str = "") -> Iterator[str]:
    """The keys of whole numbers that do not fit into 64 bits."""
    if isinstance(value, int) and value.bit_length() > 63:
        yield key
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _too_large(below, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for i, below in enumerate(value):
            yield from _too_large(below, f"{key}[{i}]")


def make(
    name: str, recipe: Recipe, sizes: Mapping[str, int], rng: Rng | np.random.RandomState
) -> Any:
    """The value of an argument.

    Args:
        name: whose it is, for messages.
        recipe: how it is made.
        sizes: letter -> length.
        rng: where its numbers are from.

    Raises:
        CourseError: the recipe has a mistake.
    """
    try:
        return _made(recipe, sizes, rng)
    except CourseError as e:
        raise CourseError(f"{name}: {e}") from e
    except (TypeError, ValueError, OverflowError, IndexError) as e:
        raise CourseError(f"{name}: {_unclear(recipe)}: {e}") from e


def _made(recipe: Recipe, sizes: Mapping[str, int], rng: Rng | np.random.RandomState) -> Any:
    match recipe:
        case str() if recipe.startswith("text:"):
            return recipe.removeprefix("text:")
        case str():
            return rng.standard_normal(shape_of(recipe, sizes))
        case {"values": values, **rest} if not rest:
            return np.array(values)
        case {"shape": str(shape), "ramp": [begin, end], **rest} if not rest:
            lengths = shape_of(shape, sizes)
            return np.linspace(begin, end, int(np.prod(lengths))).reshape(lengths)
        case {"shape": str(shape), "scale": scale, **rest} if not rest:
            return scale * rng.standard_normal(shape_of(shape, sizes))
        case {"shape": str(shape), "below": below, **rest} if not rest:
            return _words(shape_of(shape, sizes), shape_of(str(below), sizes)[0], rng)
        case {"shape": str(shape), "of": "bool", **rest} if set(rest) <= {"share"}:
            return _mask(shape_of(shape, sizes), recipe.get("share", 0.6), rng)
        case bool() | int() | float():
            return recipe
    raise CourseError(
        f'{_unclear(recipe)}; write a shape such as "N D", a number, a table with values alone, or one with shape and '
        'with scale, ramp, below, or of = "bool"'
    )


def _unclear(recipe: Recipe) -> str:
    return f"{quoted(recipe)} says of no argument how it is made"


def shape_of(text: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The lengths that "N T 4H" stands for.

    Raises:
        CourseError: a letter has no length.
    """
    lengths = []
    for word in text.replace(",", " ").split():
        found = _LENGTH.fullmatch(word)
        if not found or (found[2] and found[2] not in sizes):
            raise CourseError(f"{quoted(text)}: {word!r} has no length; give it one under [sizes]")
        lengths.append(int(found[1] or 1) * (sizes[found[2]] if found[2] else 1))
    if np.prod(lengths) > MOST_ELEMENTS:
        raise CourseError(f"{quoted(text)} would have more than {MOST_ELEMENTS:,} numbers")
    return tuple(lengths)


def shape_text(recipe: Recipe) -> str:
    """The shape in letters, as `(N, T, 4H)`; nothing if the recipe has none."""
    text = recipe.get("shape") if isinstance(recipe, dict) else recipe
    if not isinstance(text, str) or text.startswith("text:"):
        return ""
    words = text.replace(",", " ").split()
    return f"({', '.join(words)}{',' * (len(words) == 1)})"


def flags(function: Function, given: Sequence[str]) -> list[dict[str, bool]]:
    """The ways to set parameters that are switches: as they are by default first, then one of them turned."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if isinstance(parameter.default, bool) and name not in (*given, *_NOT_VARIED)
    }
    return [defaults, *({**defaults, name: not on} for name, on in defaults.items())]


def _has_to_be_given(parameter: inspect.Parameter) -> bool:
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in variable


def _words(shape: tuple[int, ...], below: int, rng: Rng | np.random.RandomState) -> Any:
    """Whole numbers; the first stands again at the end."""
    if isinstance(rng, np.random.RandomState):
        return rng.randint(below, size=shape)
    drawn = rng.integers(below, size=shape)
    if drawn.size > 1:
        drawn.flat[-1] = drawn.flat[0]
    return drawn


def _mask(shape: tuple[int, ...], share: float, rng: Rng | np.random.RandomState) -> Any:
    """True for a share of all, for the first one, and not for the last one."""
    if isinstance(rng, np.random.RandomState):
        return rng.random_sample(shape) <= share
    drawn = rng.random(shape) <= share
    drawn.flat[0], drawn.flat[-1] = True, False
    return drawn
