"""Every tolerance of the harness. They are nobody's knob: a right gradient is far inside them."""

from __future__ import annotations

from typing import Final

COMPLEX_STEP: Final = 1e-11
"""Of a gradient against a complex step, relative to the sum of absolute terms; right ones reach 1e-15."""

DIFFERENCES: Final = 1e-8
"""Of the same against extrapolated differences, where a complex step cannot judge; right ones reach 1e-11."""

FLOOR: Final = 1e-3
"""A leaf's own scale is at least this part of the whole example's, so that rounding is not compared with 0."""

SINGLE: Final = 2e-5
"""Of float32 against float64, relative to the largest number of the array, for a well-scaled example."""

ROUNDED: Final = 16.0
"""How many times farther than rounding moves a result it may be off, where that is more."""

NEARLY: Final = 1e-8
"""Of a gradient that is off by no more than rounding of what forward has kept may explain."""

ADDED: Final = 1e-10
"""Of gradients that are added up, relative to the largest of them and of the cotangents."""
