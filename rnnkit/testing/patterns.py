"""Known ways of being wrong: each pattern looks at a wrong gradient beside the right one, and says its sentence.

A pattern speaks only if it explains every element to the tolerance of a right gradient. One that has something to
choose, as a factor, wants several numbers to agree on it: with one number, any factor would do.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.tolerances import FLOOR

ENOUGH: Final = 4
"""Numbers other than 0 that must agree on a choice."""
CHANCE: Final = 100
"""In so many ways at least could the wrong elements lie among the right ones, if they lie on one side of a number."""
ROUNDED: Final = 5e-7
"""How far float32 in between may bring a number off."""
LOOSE: Final = 1e-6
"""How far numbers may be off for a reason that has been found elsewhere."""
MOST_COUNTED: Final = 50
"""Up to which number a ratio may be one of rows, steps or words."""
MOST_FACTORS: Final = 80
"""Arrays that products are made of."""
MOST_COMPARED: Final = 8
"""Elements that products are first compared at; those that agree there are compared everywhere."""


@attrs.frozen
class Gap:
    """A wrong gradient beside the right one.

    Attributes:
        given: what backward says.
        wanted: the derivative.
        tolerance: how far a right gradient may be off, relative to its scale.
        factors: arrays that a backward pass may multiply by, each of which broadcasts to the gradient's shape.
        shares: what each row of a batch adds to `wanted`, where the gradient is a sum over rows.
        gates: what is wanted of the other gates, if this is one.
        uses: what each position of the outputs, as a word of a caption, adds to `wanted`.
        matters: tells whether outputs change when the leaf moves far.
        leaf: the values at which the gradient was taken, and its name.
        asked: a reason found elsewhere, if the question is whether it explains this gap, too. Then as few numbers as
            there are need agree on it, and where factors are all but 0, rounding may be larger.
    """

    given: Array
    wanted: Array
    tolerance: float
    factors: Mapping[str, Array] = attrs.field(factory=dict)
    shares: Sequence[Array] = ()
    gates: Mapping[str, Array] = attrs.field(factory=dict)
    uses: Sequence[Array] = ()
    matters: Callable[[], bool] = lambda: False
    leaf: tuple[str, Array] | None = None
    asked: str = ""

    @property
    def enough(self) -> int:
        """Numbers other than 0 that must agree on a choice."""
        return 0 if self.asked else ENOUGH

    @property
    def wrong(self) -> bool:
        """Whether there is a gap at all."""
        return not self.same(self.given, self.wanted)

    @property
    def scale(self) -> float:
        """The largest number on either side."""
        return max(float(np.max(np.abs(a), initial=0.0)) for a in (self.given, self.wanted))

    def same(self, a: Array, b: Array) -> bool:
        """Whether two arrays agree as a right gradient agrees with the derivative."""
        if self.asked and a.shape == b.shape:
            return bool(np.allclose(a, b, rtol=LOOSE, atol=FLOOR * LOOSE))
        return a.shape == b.shape and not np.any(off(a, b, self.tolerance))

    def zero(self, a: Array) -> bool:
        """Whether an array is 0, or rounding beside this gradient."""
        return bool(np.all(np.abs(a) <= self.tolerance * self.scale))

    def used(self, *arrays: Array) -> Any:
        """Where all of these have a number that is no rounding."""
        return np.logical_and.reduce([np.abs(a) > FLOOR * self.scale for a in arrays])


def off(given: Array, wanted: Array, tolerance: float) -> Any:
    """Which elements differ by more than rounding explains."""
    sizes = [np.nanmax(np.abs(a), initial=0.0) for a in (given, wanted)]
    return np.abs(given - wanted) > 10 * tolerance * np.maximum(
        np.abs(wanted), FLOOR * float(max(sizes))
    )


def no_gradient(gap: Gap) -> str:
    """Nothing comes back at all."""
    return "" if np.any(gap.given) else "it is 0 everywhere: this path has no gradient"


def no_derivative(gap: Gap) -> str:
    """Something comes back where there is nothing."""
    if not gap.zero(gap.wanted):
        return ""
    if gap.matters():
        return "the derivative is 0 here: forward is flat (a clip, a maximum?) where backward has a slope"
    return "the derivative is 0: no output depends on it, but backward gives a gradient"


def wrong_sign(gap: Gap) -> str:
    """All of it is negated."""
    return "the sign is wrong" if gap.same(gap.given, -gap.wanted) else ""


def transposed(gap: Gap) -> str:
    """Rows and columns are exchanged."""
    if gap.wanted.ndim != 2 or np.count_nonzero(gap.wanted) < gap.enough:
        return ""
    return "it is the transpose of the right one" if gap.same(gap.given, gap.wanted.T) else ""


def constant_ratio(gap: Gap) -> str:
    """All of it is multiplied by one number."""
    used = gap.used(gap.wanted)
    if np.count_nonzero(used) < max(1, gap.enough):
        return ""
    ratio = float(np.median(gap.given[used] / gap.wanted[used]))
    if not np.isfinite(ratio) or abs(ratio) < FLOOR or not gap.same(gap.given, ratio * gap.wanted):
        return ""
    meaning = "a constant factor is wrong"
    for n in range(2, MOST_COUNTED):
        if np.isclose(abs(ratio), 1 / n, rtol=10 * gap.tolerance):
            ratio, meaning = np.sign(ratio) / n, f"1/{n}: a mean instead of a sum?"
        if np.isclose(abs(ratio), n, rtol=10 * gap.tolerance):
            ratio, meaning = np.sign(ratio) * n, f"counted {n} times?"
    return f"it is {ratio:.6g} times the right one ({meaning})"


def left_out(gap: Gap) -> str:
    """One index of an axis, as a time step, has nothing, and the others are right."""
    for axis, size in enumerate(gap.given.shape if gap.given.ndim > 1 else ()):
        for i in range(size if size > 2 else 0):
            rest = np.delete(np.arange(size), i)
            if (
                not np.any(np.take(gap.given, i, axis))
                and not gap.zero(np.take(gap.wanted, rest, axis))
                and gap.same(np.take(gap.given, rest, axis), np.take(gap.wanted, rest, axis))
            ):
                return f"index {i} of axis {axis} has been left out"
    return ""


def cut_off(gap: Gap) -> str:
    """All that is wrong is where nothing comes back."""
    wrong = off(gap.given, gap.wanted, gap.tolerance)
    if np.any(gap.given[wrong]) or np.count_nonzero(gap.given) < gap.enough:
        return ""
    return "it is wrong only where it is 0: a mask too many, or something left out?"


def rounded(gap: Gap) -> str:
    """It is right as far as single precision reaches."""
    far = np.abs(gap.given - gap.wanted) > ROUNDED * np.maximum(
        np.abs(gap.wanted), FLOOR * gap.scale
    )
    if np.any(far) or np.count_nonzero(gap.wanted) < gap.enough:
        return ""
    return "it is right to about 7 digits: is it float32 in between?"


def shifted(gap: Gap) -> str:
    """Each index of an axis has what belongs to its neighbour."""
    for axis, size in enumerate(gap.given.shape):
        early, late = np.arange(size - 1), np.arange(1, size)
        for mine, theirs, which in [(late, early, "before"), (early, late, "after")]:
            a, b = np.take(gap.given, mine, axis), np.take(gap.wanted, theirs, axis)
            if size > 2 and np.count_nonzero(gap.used(b)) >= gap.enough and gap.same(a, b):
                return f"it is shifted by one along axis {axis}: each index has the gradient of the one {which}"
    return ""


def sum_too_many(gap: Gap) -> str:
    """All indices of an axis share what should be added up for broadcast leaves only."""
    for axis, size in enumerate(gap.given.shape):
        total = gap.wanted.sum(axis, keepdims=True)
        for what, one in [("sum", total), ("mean", total / max(size, 1))]:
            if size > 1 and not gap.zero(one) and gap.same(gap.given, one + 0 * gap.wanted):
                return f"it is the {what} over axis {axis}, where there should be no {what}"
    return ""


def sum_missing(gap: Gap) -> str:
    """A sum over the rows of the batch has one row only, or lacks one."""
    if len(gap.shares) < 2:
        return ""
    for row, share in enumerate(gap.shares):
        if not gap.zero(share) and gap.same(gap.given, share):
            return f"it is the part of row {row} alone: a sum over the rows is missing"
    for row, share in enumerate(gap.shares):
        if gap.same(gap.given, gap.wanted - share):
            return f"row {row} is missing from the sum over the rows"
    return ""


def wrong_axis(gap: Gap) -> str:
    """A sum over the rows has gone along the other axis, of the same length."""
    if len(gap.shares) < 2 or gap.given.shape != (len(gap.shares),):
        return ""
    if not gap.same(gap.given, np.stack(gap.shares).sum(axis=1)):
        return ""
    return (
        "it is summed over the wrong axis: it has a number for each row, not the sum over the rows"
    )


def uses_not_added(gap: Gap) -> str:
    """Where several positions use the same index, as a word that is repeated, only one of them counts."""
    if len(gap.uses) < 2 or gap.given.ndim < 2:
        return ""
    repeated = []
    for i, (given, wanted) in enumerate(zip(gap.given, gap.wanted, strict=True)):
        one = attrs.evolve(gap, given=given, wanted=wanted, uses=())
        if one.wrong:
            adds = [use[i] for use in gap.uses if not gap.zero(use[i])]
            if len(adds) < 2 or not any(one.same(given, use) for use in adds):
                return ""
            repeated.append(i)
    several = f"{'indices' if len(repeated) > 1 else 'index'} {', '.join(map(str, repeated))}"
    return f"of {several}, used more than once, only one use counts: they must be added up (np.add.at does)"


def not_masked(gap: Gap) -> str:
    """All that is wrong is where there should be nothing."""
    wrong = off(gap.given, gap.wanted, gap.tolerance)
    if np.any(gap.wanted[wrong]) or np.count_nonzero(gap.wanted) < gap.enough:
        return ""
    return "it is wrong only where it must be 0: is a mask missing, or that of a clip?"


def one_side(gap: Gap) -> str:
    """It is wrong on one side of a number: of the leaf itself, or of what it is multiplied by."""
    wrong = off(gap.given, gap.wanted, gap.tolerance)
    chance = math.comb(wrong.size, int(np.count_nonzero(wrong))) if wrong.ndim else 0
    if chance < CHANCE and not gap.asked:
        return ""
    if gap.leaf is None or gap.leaf[1].shape != wrong.shape:
        return ""
    name, values = gap.leaf
    bad, good = values[wrong], values[~wrong]
    for sign, low, high in (("<", bad, good), (">", good, bad)):
        left = float(np.max(low, initial=-np.inf))
        right = float(np.min(high, initial=np.inf))
        if left < right:
            edge = "0" if left <= 0.0 <= right else f"{left if sign == '<' else right:.3g}"
            closed = "" if edge == "0" else "="
            return f"it is wrong for {name} {sign}{closed} {edge}, and right on the other side"
    return ""


def of_another_gate(gap: Gap) -> str:
    """Gates are in the wrong order."""
    for gate, wanted in gap.gates.items():
        if not gap.zero(wanted) and gap.same(gap.given, wanted):
            return f"it is the gradient of gate {gate}"
    return ""


def wrong_factor(gap: Gap) -> str:
    """One or two factors are missing, or too many, or one stands where another belongs."""
    if np.count_nonzero(gap.used(gap.given, gap.wanted)) < gap.enough:
        return ""
    return _answer(gap, _wrong_factors(gap))


def _wrong_factors(gap: Gap) -> Iterator[str]:
    for count in (1, 2):
        for _, name, f in _products(gap, count, gap.wanted, gap.given):
            if gap.same(gap.given * f, gap.wanted):
                yield f"a factor {name} is missing"
        for _, name, f in _products(gap, count, gap.given, gap.wanted):
            if gap.same(gap.given, gap.wanted * f):
                yield f"there is an extra factor {name}"
        for right, wrong in _exchanges(gap) if count == 1 else ():
            if gap.same(gap.given * gap.factors[right], gap.wanted * gap.factors[wrong]):
                yield f"there is a factor {wrong} instead of {right}"


TERMS: Final = {
    1.0: "a term {} is missing",
    -1.0: "there is an extra term {}",
    2.0: "a term {} is subtracted where it should be added",
    -2.0: "a term {} is added where it should be subtracted",
}
"""How often a term is missing, and what that means."""


def wrong_term(gap: Gap) -> str:
    """A term, of up to three factors, is missing, or too many, or has the wrong sign."""
    missing = gap.wanted - gap.given
    if np.count_nonzero(gap.used(missing)) < gap.enough:
        return ""
    one = np.ones_like(missing)
    return _answer(
        gap,
        (
            TERMS[times].format(name)
            for count in (1, 2, 3)
            for times, name, f in _products(gap, count, missing, one, tuple(TERMS))
            if gap.same(gap.given + times * f, gap.wanted)
        ),
    )


NUMBERS: Final = re.compile(r"(?:(?:= |, )?[-+.\de]*\d[-+.\d/e]*)+")
"""What may differ in a reason from case to case: an index, a ratio, an edge, or several."""
PLURALS: Final = {"indices": "index", "steps": "step"}

Pattern: TypeAlias = Callable[[Gap], str]

ELEMENTWISE: Final[tuple[Pattern, ...]] = (no_gradient, no_derivative, wrong_sign, constant_ratio)
"""Those that can be seen in some of the elements, in whatever order."""

SHAPED: Final[tuple[Pattern, ...]] = (
    *ELEMENTWISE,
    one_side,
    not_masked,
    transposed,
    wrong_axis,
    uses_not_added,
    left_out,
    cut_off,
    shifted,
    sum_too_many,
    sum_missing,
    of_another_gate,
    wrong_factor,
    rounded,
)
"""All but `wrong_term`, the simplest first. That one is for the end: a sum can be said in many ways."""


POOLED: Final[tuple[Pattern, ...]] = (*ELEMENTWISE, of_another_gate, wrong_factor)
"""Those for the shares of all rows in one array: its first axis is no axis of the leaf."""


def explain(gap: Gap, patterns: Sequence[Pattern]) -> str:
    """What the first pattern that fits says, or that says what is asked; nothing if none does."""
    return _answer(gap, (pattern(gap) for pattern in patterns))


def _answer(gap: Gap, reasons: Iterable[str]) -> str:
    """The first reason, or the first that is asked for."""
    return next((r for r in reasons if r and is_part(r, gap.asked or r)), "")


def is_part(reason: str, of: str) -> bool:
    """Whether a reason is another, or said in it, but for numbers that may differ from case to case."""
    return _without_numbers(reason) in _without_numbers(of)


def _without_numbers(reason: str) -> str:
    for several, one in PLURALS.items():
        reason = re.sub(rf"\b{several}\b", one, reason)
    return NUMBERS.sub("", reason)


def _products(
    gap: Gap, count: int, above: Array, below: Array, times: Sequence[float] = (1.0,)
) -> Iterator[tuple[float, str, Array]]:
    """Products of `count` factors that look like above / below / t, for each t of `times`: (t, name, product)."""
    names = list(gap.factors)[:MOST_FACTORS]
    if not names:
        return
    at = _compared(gap, above, below)
    rows = np.array([np.broadcast_to(gap.factors[name], above.shape)[at] for name in names])
    chosen = _combinations(len(names), count)
    wanted, base = above[at], below[at]
    first = base[:1] * np.multiply.reduce([rows[some, :1] for some in chosen.T])
    for t in times:
        # Most do not fit at the first element, and need no look at the others.
        fit = np.abs(t * first - wanted[:1]) <= _near(gap) * np.abs(wanted[:1])
        near = chosen[np.all(fit, axis=1)]
        product = base * np.multiply.reduce([rows[some] for some in near.T])
        fit = np.abs(t * product - wanted) <= _near(gap) * np.abs(wanted)
        for indices in near[np.all(fit, axis=1)]:
            found = np.multiply.reduce([gap.factors[names[i]] + 0 * above for i in indices])
            yield t, " * ".join(names[i] for i in indices), found


@functools.cache
def _combinations(names: int, count: int) -> Any:
    """Every choice of `count` indices, the same one allowed again, as rows."""
    return np.array(list(itertools.combinations_with_replacement(range(names), count)))


def _exchanges(gap: Gap) -> Iterator[tuple[str, str]]:
    """Pairs of factors (right, wrong) that look like it in given * right = wanted * wrong."""
    names = list(gap.factors)[:MOST_FACTORS]
    if not names:
        return
    at = _compared(gap, gap.given, gap.wanted)
    rows = np.array([np.broadcast_to(gap.factors[name], gap.given.shape)[at] for name in names])
    left, right = rows[:, None] * gap.given[at], rows[None] * gap.wanted[at]
    fit = np.all(np.abs(left - right) <= _near(gap) * np.abs(right), axis=2)
    for i, j in np.argwhere(fit):
        if i != j and (gap.asked or np.any(left[i])):
            yield names[i], names[j]


def _compared(gap: Gap, *arrays: Array) -> tuple[Any, ...]:
    """Where to compare products first: elements at which all these have numbers."""
    places = np.argwhere(gap.used(*arrays))[:MOST_COMPARED]
    return tuple(places.T)


def _near(gap: Gap) -> float:
    """How near a product must come to be looked at everywhere."""
    return LOOSE if gap.asked else 1e3 * gap.tolerance
