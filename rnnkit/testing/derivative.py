"""Directional derivatives: by a complex step, and by extrapolated differences.

With every leaf cast to complex128, Im f(x + i eps v) / eps is the derivative along v to rounding, as there is no
difference of nearby numbers (Squire & Trapp, "Using complex variables to estimate derivatives of real
functions", 1998). It is silently wrong where f is not complex-analytic (np.abs, .real, a cast). Richardson's
extrapolation of central differences is less exact, and says how far it may be off.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.example import Example, Leaves
from rnnkit.testing.raised import in_words
from rnnkit.testing.tolerances import DIFFERENCES

EPS: Final = 1e-30
WIDTHS: Final = (1e-2, 1e-3, 1e-1, 1e-4, 1e-5, 1e-6)
"""First step widths of the extrapolation, until one settles; else the smallest error estimate counts."""
CLOSEST: Final = 1e-12
"""What these are multiplied by at least, where the numbers that move are tiny: rounding has its say, too."""
LEVELS: Final = 5


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
    unit = max(CLOSEST, min([1.0, *(size for size in sizes if size)]))

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
