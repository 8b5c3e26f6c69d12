"""The judge: a complex step, or differences where that cannot be believed.

One derivative along all leaves at once is compared by both. If they disagree by more than kinks explain, the forward
pass is not complex-analytic, and differences judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Rng
from rnnkit.testing.derivative import (
    NotAnalytic,
    Slope,
    complex_derivative,
    difference_derivative,
    summed,
)
from rnnkit.testing.example import Example, Leaves, copied
from rnnkit.testing.kinks import kink
from rnnkit.testing.tolerances import COMPLEX_STEP, DIFFERENCES

BEND: Final = 1e-5
"""The largest doubt, relative to the scale, with which differences may overrule a complex step for one leaf."""
SURE: Final = 10.0
"""How many of their own error estimates differences must be off before the complex step is not believed."""
ELSEWHERE: Final = 3
"""Points near by at which a complex step and differences may agree if they do not here."""
NEAR: Final = 0.1
"""How far away these are, relative to the size of the numbers."""
TINY: Final = 1e-2
"""Below this, all numbers of an example are too small to show that a complex step goes wrong."""


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
        for point in _points(example):
            if not _agree(point, cotangents, rng) and not _agree_nearby(point, cotangents, rng):
                reason = (
                    "its complex step disagrees with finite differences (np.abs, .real, a norm?)"
                )
                break
    except NotAnalytic as e:
        reason = str(e)
    if not reason:
        return Judge(example, cotangents, by_differences=False, note=None)
    note = f"the forward pass is not complex-analytic, so finite differences check it: {reason}"
    return Judge(example, cotangents, by_differences=True, note=note)


def _points(example: Example) -> Iterator[Example]:
    """An example; and if all its numbers are tiny, the same enlarged: where x is tiny, so is what |x|^2 is off by."""
    yield example
    size = max(float(np.max(np.abs(a), initial=0.0)) for a in example.leaves.values())
    if 0.0 < size < TINY:
        large = {name: a / size for name, a in example.leaves.items()}
        enlarged = attrs.evolve(example, leaves=large)
        if not example.daring and _computes(enlarged):
            yield enlarged


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
        near = attrs.evolve(example, leaves=moved)
        try:
            if _computes(near) and _agree(near, cotangents, rng):
                return True
        except Exception:  # it need not be able to compute around it
            continue
    return False


def _computes(example: Example) -> bool:
    """Whether outputs are finite numbers."""
    try:
        with np.errstate(all="ignore"):
            outputs, _ = example.forward(copied(example.leaves))
    except Exception:
        return False
    return all(bool(np.isfinite(y).all()) for y in outputs.values())
