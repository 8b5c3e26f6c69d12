"""The judge: directional derivatives by a complex step, guarded by extrapolated differences.

With every leaf cast to complex128, Im f(x + i eps v) / eps is the derivative along v to rounding, as there is no
difference of nearby numbers (Squire & Trapp, "Using complex variables to estimate derivatives of real
functions", 1998). It is silently wrong where f is not complex-analytic (np.abs, .real, a cast); so one
derivative along all leaves at once is compared with Richardson's extrapolation of central differences. Where
f has a kink there is no derivative at all, and its slopes to either side say how far a gradient may be off.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.kinds import Array, Rng
from rnnkit.testing.example import Example, Leaves, copied
from rnnkit.testing.raised import in_words
from rnnkit.testing.tolerances import COMPLEX_STEP, DIFFERENCES

EPS: Final = 1e-30
WIDTHS: Final = (1e-2, 1e-3, 1e-1, 1e-4, 1e-5, 1e-6)
"""First step widths of the extrapolation, until one settles; else the smallest error estimate counts."""
LEVELS: Final = 5
BEND: Final = 1e-5
"""The largest doubt, relative to the scale, with which differences may overrule a complex step for one leaf."""
SIDE: Final = 1e-6
"""First step width for the slopes to either side of a point: what is farther away is no kink at the point."""
PARTS: Final = 16
"""Pieces of a direction whose kinks are looked at one by one: in few of them, kinks could cancel each other."""
SURE: Final = 10.0
"""How many of their own error estimates differences must be off before the complex step is not believed."""
ELSEWHERE: Final = 3
"""Points near by at which a complex step and differences may agree if they do not here."""
NEAR: Final = 0.1
"""How far away these are, relative to the size of the numbers."""
SMOOTH: Final = 1e-6
"""The difference of two such slopes, relative to their scale, that needs no kink."""


class NotAnalytic(Exception):
    """The forward pass does not let a complex step through; the message says where it stops."""


@attrs.frozen
class Slope:
    """A derivative of sum(cotangent * output).

    Attributes:
        value: of it.
        scale: the sum of the absolute values of the terms it was added up from.
        error: an estimate of its error beyond rounding; beside a kink, differences have one.
    """

    value: float
    scale: float
    error: float = 0.0


def complex_derivative(example: Example, names: Iterable[str], direction: Leaves) -> Leaves:
    """d/dt of these outputs at leaves + t direction, by a complex step.

    Raises:
        NotAnalytic: it raises whatever exception, or drops the imaginary part, or leaves the finite numbers.
    """
    moved: Any = {name: a.astype(np.complex128) for name, a in example.leaves.items()}
    for name, v in direction.items():
        moved[name] += EPS * 1j * v
    with warnings.catch_warnings():
        # A part that is dropped on the way shows in the outputs, or beside differences; it may not matter.
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            outputs, _ = example.forward(moved)
        except Exception as e:  # code that is right for real numbers may raise anything here
            raise NotAnalytic(in_words(e)) from e
    real = [name for name, y in outputs.items() if not np.iscomplexobj(y)]
    if real:
        raise NotAnalytic(
            f"output {real[0]!r} has lost its imaginary part (was it written into a real array, as np.zeros makes?)"
        )
    derivative = {name: outputs[name].imag / EPS for name in names}
    if not all(np.isfinite(d).all() for d in derivative.values()):
        raise NotAnalytic("complex numbers lead to values that are not finite")
    return derivative


@attrs.frozen
class Estimate:
    """Derivatives of outputs by differences.

    Attributes:
        derivative: of each output.
        slope: of sum(cotangent * output).
    """

    derivative: Leaves
    slope: Slope

    @property
    def reliable(self) -> bool:
        """Whether the extrapolation settled; it does not beside a kink."""
        return self.slope.error <= 0.1 * DIFFERENCES * self.slope.scale


def difference_derivative(example: Example, cotangents: Leaves, direction: Leaves) -> Estimate:
    """The same by Richardson's extrapolation of central differences.

    Steps are no wider than the numbers that move: where those are tiny, a function can be another one farther away.
    """
    sizes = [float(np.max(np.abs(example.leaves[name]), initial=0.0)) for name in direction]
    unit = min([1.0, *(size for size in sizes if size)])

    def outputs(t: float) -> Leaves:
        moved = {name: a.copy() for name, a in example.leaves.items()}
        for name, v in direction.items():
            moved[name] += t * v
        return example.forward(moved)[0]

    best: Estimate | None = None
    for width in WIDTHS:
        if best is not None and best.reliable:
            break
        row: list[dict[str, Array]] = []
        error = np.inf
        for level in range(LEVELS):
            h = unit * width / 2**level
            above, below = outputs(h), outputs(-h)
            new = [{k: (above[k] - below[k]) / (2 * h) for k in cotangents}]
            for order in range(1, level + 1):
                factor = 4.0**order
                new.append(
                    {
                        k: (factor * new[-1][k] - row[order - 1][k]) / (factor - 1)
                        for k in cotangents
                    }
                )
            noise = 8 * np.finfo(float).eps * magnitude(above, cotangents) / h
            if level:
                values = [summed(d, cotangents) for d in (new[-1], row[-1], new[-2])]
                change = noise + max(abs(values[0].value - v.value) for v in values[1:])
                if change < error:
                    error = change
                    if best is None or error < best.slope.error:
                        best = Estimate(new[-1], attrs.evolve(values[0], error=error))
            row = new
    assert best is not None
    return best


def kink(example: Example, cotangents: Leaves, direction: Leaves) -> float:
    """How far a gradient may be off at a point where slopes to either side are apart; 0 where all is smooth.

    Many elements may each have a kink, as where all inputs of a relu are 0, and a gradient may take the one slope here
    and the other there. So the gaps of the direction's parts and of all outputs are added up, each by its size.
    """
    if not _jump(example, cotangents, direction):
        return 0.0
    # A kink that is not quite at the point shows in part.
    return 2.0 * sum(_jump(example, cotangents, part) for part in _parts(direction))


def _parts(direction: Leaves) -> Iterator[Leaves]:
    """A direction in PARTS pieces that add up to it, each of neighbouring elements."""
    ends = np.cumsum([v.size for v in direction.values()])
    flat = np.concatenate([np.ravel(v) for v in direction.values()])
    for chosen in np.array_split(np.arange(flat.size), min(PARTS, flat.size)):
        part = np.zeros_like(flat)
        part[chosen] = flat[chosen]
        pieces = np.split(part, ends[:-1])
        yield {
            name: piece.reshape(v.shape)
            for (name, v), piece in zip(direction.items(), pieces, strict=True)
        }


def _jump(example: Example, cotangents: Leaves, direction: Leaves) -> float:
    """How far the slopes to either side of the point are apart, over all outputs; 0 if rounding explains it."""

    def change(t: float) -> Array:
        moved = copied(example.leaves)
        for name, v in direction.items():
            moved[name] += t * v
        outputs, _ = example.forward(moved)
        terms = [np.ravel(c * (outputs[k] - here[k])) for k, c in cotangents.items()]
        joined: Array = np.concatenate(terms)
        return joined

    def one_sided(h: float) -> Array:
        """Extrapolated from h, h / 2 and h / 4 to the order h^3."""
        a, b, c = (change(h / part) * part / h for part in (1, 2, 4))
        slopes: Array = (a - 6.0 * b + 8.0 * c) / 3.0
        return slopes

    here = copied(example.forward(copied(example.leaves))[0])
    above, below = one_sided(SIDE), one_sided(-SIDE)
    gap = float(np.sum(np.abs(above - below)))
    return gap if gap > SMOOTH * float(np.sum(np.abs(above) + np.abs(below))) else 0.0


def magnitude(outputs: Leaves, cotangents: Leaves) -> float:
    """Sum of |cotangent| max(|output|, 1): what the rounding of outputs and of their derivatives is part of.

    A small output can be the difference of numbers about 1, as where a gate saturates, and has their rounding.
    """
    sizes = (np.abs(cotangents[k]) * np.maximum(np.abs(outputs[k]), 1.0) for k in cotangents)
    return float(sum(np.sum(size) for size in sizes))


def summed(derivatives: Leaves, cotangents: Leaves) -> Slope:
    """The derivative of sum(cotangent * output) from those of the outputs."""
    terms = [np.asarray(cotangents[name] * derivatives[name]) for name in cotangents]
    return Slope(float(sum(t.sum() for t in terms)), float(sum(np.abs(t).sum() for t in terms)))


@attrs.frozen
class Judge:
    """Decides what the derivative of an example is.

    Attributes:
        tolerance: how far a right gradient may be off, relative to its scale.
        note: what the author should know, if the complex step could not be trusted.
    """

    example: Example
    cotangents: Leaves
    by_differences: bool
    note: str | None

    @property
    def tolerance(self) -> float:
        """How far a right gradient may be off, relative to its scale."""
        return DIFFERENCES if self.by_differences else COMPLEX_STEP

    def derivative(self, direction: Leaves) -> Leaves:
        """The derivative of every output along a direction of some leaves."""
        if self.by_differences:
            return difference_derivative(self.example, self.cotangents, direction).derivative
        return complex_derivative(self.example, self.cotangents, direction)

    def is_misled(self, slope: Slope, claim: float, direction: Leaves, scale: float) -> bool:
        """Whether differences side with a claim against a complex step: near a bend it can pass unnoticed before."""
        if self.by_differences:
            return False
        again = difference_derivative(self.example, self.cotangents, direction).slope
        doubt = DIFFERENCES * scale + again.error
        return doubt <= BEND * scale and abs(again.value - claim) <= doubt < abs(
            again.value - slope.value
        )

    def slope(self, direction: Leaves) -> Slope:
        """The derivative of sum(cotangent * output) along a direction of some leaves."""
        if self.by_differences:
            return difference_derivative(self.example, self.cotangents, direction).slope
        return summed(self.derivative(direction), self.cotangents)


def appoint(example: Example, cotangents: Leaves, rng: Rng) -> Judge:
    """The judge for an example: a complex step, unless the forward pass is not fit for one."""
    reason = ""
    try:
        if not _agree(example, cotangents, rng) and not _agree_nearby(example, cotangents, rng):
            reason = "its complex step disagrees with finite differences (np.abs, .real, a norm?)"
    except NotAnalytic as e:
        reason = str(e)
    if not reason:
        return Judge(example, cotangents, by_differences=False, note=None)
    note = f"the forward pass is not complex-analytic, so finite differences check it: {reason}"
    return Judge(example, cotangents, by_differences=True, note=note)


def _agree(example: Example, cotangents: Leaves, rng: Rng) -> bool:
    """Whether a complex step and differences agree, as far as differences can tell.

    Raises:
        NotAnalytic: there is no complex step.
    """
    direction = {name: rng.standard_normal(a.shape) for name, a in example.leaves.items()}
    exact = summed(complex_derivative(example, cotangents, direction), cotangents)
    estimate = difference_derivative(example, cotangents, direction)
    scale = max(exact.scale, estimate.slope.scale)
    doubt = max(DIFFERENCES * scale, SURE * estimate.slope.error)
    apart = abs(exact.value - estimate.slope.value)
    return bool(
        not np.isfinite(doubt) or apart <= doubt or apart <= kink(example, cotangents, direction)
    )


def _agree_nearby(example: Example, cotangents: Leaves, rng: Rng) -> bool:
    """Whether they agree at a point near by: beside a kink differences may be wrong, but not everywhere."""
    for _ in range(ELSEWHERE):
        moved = {
            name: a + NEAR * np.std(a) * rng.standard_normal(a.shape) if a.size else a
            for name, a in example.leaves.items()
        }
        try:
            outputs, _ = example.forward(copied(moved))
            finite = all(np.isfinite(y).all() for y in outputs.values())
            if finite and _agree(attrs.evolve(example, leaves=moved), cotangents, rng):
                return True
        except Exception:  # it need not be able to compute there
            continue
    return False
