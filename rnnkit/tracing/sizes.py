"""Lengths that depend on how many rows there are: found by looking at the same thing at several sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

import attrs

Sizes: TypeAlias = Mapping[str, int]
"""Letter -> number, as {"N": 3}."""


@attrs.frozen
class Size:
    """constant + sum of factor * letter, such as N, 2N + 1, 4H or D / 3.

    Attributes:
        terms: (letter, factor) of each letter; at least one.
        constant: what is added.
    """

    terms: tuple[tuple[str, int | Fraction], ...]
    constant: int = 0

    def at(self, sizes: Sizes) -> int:
        """The number at these sizes."""
        return self.constant + int(sum(factor * sizes[letter] for letter, factor in self.terms))

    def times(self, number: int) -> Size:
        """As often as this."""
        terms = tuple((letter, _whole(factor * number)) for letter, factor in self.terms)
        return Size(terms, self.constant * number)

    def __str__(self) -> str:
        terms = [letter if factor == 1 else f"{factor} * {letter}" for letter, factor in self.terms]
        return " + ".join([*terms, *([str(self.constant)] if self.constant else [])])


@attrs.frozen
class Power:
    """factor * the product of letter ** exponent, such as 1 / N or sqrt(H)."""

    factor: float
    terms: tuple[tuple[str, float], ...]

    def at(self, sizes: Sizes) -> float:
        """The number at these sizes."""
        return self.factor * math.prod(float(sizes[letter] ** e) for letter, e in self.terms)


def _whole(factor: int | Fraction) -> int | Fraction:
    return int(factor) if factor.denominator == 1 else factor


def size_of(seen: Sequence[int], examples: Sequence[Sizes]) -> int | Size | None:
    """What gave these whole numbers at these sizes; None if it is not linear in them.

    Args:
        seen: one for each of the examples.
        examples: each letter alone must change from one of them to the next at least once.
    """
    if len(set(seen)) == 1:
        return seen[0]
    factors: dict[str, int | Fraction] = {}
    for (before, after), (v, w) in zip(pairwise(examples), pairwise(seen), strict=True):
        moved = [letter for letter in before if before[letter] != after[letter]]
        if len(moved) == 1:
            ((letter),) = moved
            factor = Fraction(w - v, after[letter] - before[letter])
            factors[letter] = _whole(factor)
    terms = tuple((letter, factor) for letter, factor in factors.items() if factor)
    found = Size(terms, seen[0] - int(sum(f * examples[0][letter] for letter, f in terms)))
    return found if _fits(found.at, seen, examples, 0.0) else None


def power_of(seen: Sequence[float], examples: Sequence[Sizes]) -> Power | None:
    """What gave these numbers at these sizes, if it is a product of powers and roots of them."""
    if not all(math.isfinite(v) and v for v in seen):
        return None
    terms: dict[str, float] = {}
    for (before, after), (v, w) in zip(pairwise(examples), pairwise(seen), strict=True):
        moved = [letter for letter in before if before[letter] != after[letter]]
        if len(moved) == 1 and w / v > 0:
            ((letter),) = moved
            exponent = math.log(w / v) / math.log(after[letter] / before[letter])
            terms[letter] = round(2 * exponent) / 2
    powers = tuple((letter, e) for letter, e in terms.items() if e)
    found = Power(seen[0] / Power(1.0, powers).at(examples[0]), powers)
    return found if _fits(found.at, seen, examples, 1e-14) else None


def _fits(
    at: Callable[[Sizes], float], seen: Sequence[float], examples: Sequence[Sizes], within: float
) -> bool:
    return all(
        math.isclose(at(sizes), v, rel_tol=within) for sizes, v in zip(examples, seen, strict=True)
    )


def at_sizes(attribute: Any, sizes: Sizes) -> Any:
    """An attribute with every length in it as a number."""
    if isinstance(attribute, Size | Power):
        return attribute.at(sizes)
    if isinstance(attribute, tuple):
        return tuple(at_sizes(item, sizes) for item in attribute)
    if isinstance(attribute, slice):
        parts = (attribute.start, attribute.stop, attribute.step)
        return slice(*(at_sizes(part, sizes) for part in parts))
    return attribute


def common(seen: Sequence[Any], examples: Sequence[Sizes]) -> Any:
    """The one attribute that these are, at these sizes.

    Raises:
        ValueError: there is none.
    """
    first = seen[0]
    if isinstance(first, slice):
        parts = (([getattr(s, part) for s in seen]) for part in ("start", "stop", "step"))
        return slice(*(common(part, examples) for part in parts))
    if isinstance(first, tuple) and len({len(s) for s in seen}) == 1:
        return tuple(common(items, examples) for items in zip(*seen, strict=True))
    if all(type(s) is type(first) and s == first for s in seen):
        return first
    if all(type(s) is int for s in seen):
        found = size_of(seen, examples)
        if found is not None:
            return found
    if all(type(s) in (int, float) for s in seen):
        power = power_of([float(s) for s in seen], examples)
        if power is not None:
            return power
    raise ValueError(f"{first!r} is {seen[-1]!r} at other sizes")
