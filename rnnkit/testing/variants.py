"""The options that a plugin is checked with: its defaults, each option changed, pairs of them, what its author adds.

A plugin may have a class method `variants()` that returns further instances.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

import attrs

from rnnkit.errors import RegistryError
from rnnkit.kinds import Layer, Loss, Plugin, RecurrentCell
from rnnkit.kinds.activation import Activation
from rnnkit.registry.options import option_types
from rnnkit.registry.returned import instance
from rnnkit.testing.choices import Choice, choices, examples, options
from rnnkit.testing.constants import constants

K = TypeVar("K", bound=Plugin)

WITH_GRADIENT: Final = (Activation, Layer, RecurrentCell, Loss)
TRIED: Final = 400
"""Combinations of required options that are tried for one that is allowed."""
PAIRED: Final = 2
"""How many values of each option meet those of the others."""


@attrs.frozen
class Variant(Generic[K]):
    """A plugin with some options.

    Attributes:
        label: says which, and nothing for the defaults.
        plugin: made with them.
        promised: whether its types and validators say that it must work.
        changed: the options that are not at their defaults.
    """

    label: str
    plugin: K
    promised: bool = True
    changed: Mapping[str, Any] = attrs.field(factory=dict)


def variants(cls: type[K]) -> Iterator[Variant[K]]:
    """The defaults first; then each option in turn, pairs of options, and the author's own.

    Raises:
        RegistryError: options have no default, and no value that was tried is allowed.
    """
    extra = _authors(cls)
    base = _base(cls, extra)
    yield Variant("", base)
    seen = [base]
    singly = tried(cls, base)
    rows = [{name: choice} for name, found in singly.items() for choice in found]
    for row in (*rows, *_pairs(base, singly), *_only_together(cls, base, singly)):
        changed = {name: choice.value for name, choice in row.items()}
        made = _made(base, changed)
        if made is not None and made not in seen:
            seen.append(made)
            label = ",".join(f"{name}={_shown(value)}" for name, value in changed.items())
            yield Variant(label, made, all(c.promised for c in row.values()), changed)
    for i, made in enumerate(extra):
        if made not in seen:
            seen.append(made)
            yield Variant(f"variants[{i}]", made)


def tried(cls: type[K], base: K) -> dict[str, list[Choice]]:
    """The values of each option that are allowed beside the defaults of the others."""
    return {
        name: [c for c in values if _made(base, {name: c.value}) is not None]
        for name, values in _values(cls, base).items()
    }


def _only_together(
    cls: type[K], base: K, singly: Mapping[str, list[Choice]]
) -> Iterator[dict[str, Choice]]:
    """For each option that may not be changed alone, the first value that is allowed with another option's."""
    for name, values in _values(cls, base).items():
        pairs = (
            {name: value, other: choice}
            for value in values
            for other, found in singly.items()
            for choice in found
        )
        if not singly[name]:
            yield from itertools.islice((p for p in pairs if _allowed(base, p)), 1)


def _allowed(base: Plugin, row: Mapping[str, Choice]) -> bool:
    """Whether options may be these, and are no others than they were."""
    made = _made(base, {name: choice.value for name, choice in row.items()})
    return made is not None and all(getattr(made, name) != getattr(base, name) for name in row)


def _values(cls: type[K], base: K) -> dict[str, list[Choice]]:
    """The values of each option that may be tried."""
    hints, known = option_types(cls), constants(cls)
    found: dict[str, list[Choice]] = {}
    for field in options(cls):
        default = getattr(base, field.name)
        values = choices(field.validator, hints[field.name], default, known)
        if not issubclass(cls, WITH_GRADIENT):
            # Whether a guess is a good step size, or a bad one, no contract can tell.
            values = [c for c in values if c.promised or isinstance(c.value, Plugin)]
            values += _near(default)
        found[field.name] = values
    return found


def _near(default: object) -> Iterator[Choice]:
    if type(default) is float:
        yield Choice(0.5 * default or 0.01)


def _authors(cls: type[K]) -> list[K]:
    """What the class method `variants` gives."""
    extra = getattr(cls, "variants", None)
    return list(extra()) if inspect.ismethod(extra) else []


def _base(cls: type[K], extra: list[K]) -> K:
    """The plugin with its defaults, and with the first values that are allowed of options that have none."""
    hints, known = option_types(cls), constants(cls)
    required = [f for f in options(cls) if f.default is attrs.NOTHING]
    candidates = [examples(f, hints[f.name], known) for f in required]
    problem: Exception | None = None
    for values in itertools.islice(itertools.product(*candidates), TRIED):
        try:
            base = cls(**{_alias(f): value for f, value in zip(required, values, strict=True)})
        except (TypeError, ValueError) as e:
            problem = e
        else:
            return instance(cls, base)
    if extra:
        return extra[0]
    names = ", ".join(f.name for f in required)
    raise RegistryError(
        f"no value that was tried for its options without a default ({names}) is allowed"
        f"{f': {problem}' if problem else ''}; add a class method variants() that returns instances to check"
    )


def _alias(field: attrs.Attribute[Any]) -> str:
    return field.alias or field.name


def _made(base: K, changed: Mapping[str, Any]) -> K | None:
    """The plugin with other options, if they are allowed."""
    alias = {f.name: _alias(f) for f in options(type(base))}
    try:
        made: K = attrs.evolve(base, **{alias[name]: v for name, v in changed.items()})  # type: ignore[misc]  # all plugins are attrs classes
    except (TypeError, ValueError):
        return None
    return made


def _pairs(base: Plugin, singly: Mapping[str, list[Choice]]) -> Iterator[dict[str, Choice]]:
    """Rows of options that are all changed, in which each two values of two options meet once at least."""
    few = {name: _few(found, getattr(base, name)) for name, found in singly.items() if found}
    missing = {
        (one, i, other, j)
        for one, other in itertools.combinations(few, 2)
        for i in range(len(few[one]))
        for j in range(len(few[other]))
    }
    while missing:
        row: dict[str, int] = {}
        for one, i, other, j in sorted(missing):
            if row.get(one, i) == i and row.get(other, j) == j:
                row |= {one: i, other: j}
        missing -= {m for m in missing if row.get(m[0]) == m[1] and row.get(m[2]) == m[3]}
        yield {name: few[name][i] for name, i in row.items()}


def _few(found: list[Choice], default: object) -> list[Choice]:
    """The first PAIRED values, one to either side of the default where they are numbers."""
    if isinstance(default, int | float):
        numbers = [c for c in found if isinstance(c.value, int | float)]
        below = [c for c in numbers if c.value < default]
        above = [c for c in numbers if c.value > default]
        found = [*below[:1], *above[:1], *found] if below and above else found
    return found[:PAIRED]


def _shown(value: object) -> str:
    return type(value).__name__ if isinstance(value, Plugin) else repr(value)
