"""Backward is linear in the cotangents, whatever forward computes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from rnnkit.kinds import Rng
from rnnkit.testing.example import Broken, Example, Leaves, copied
from rnnkit.testing.laws.running import run_backward
from rnnkit.testing.tolerances import ADDED

SCALES: Final = (2.0**60, 2.0**-60)
"""Powers of two, beyond whatever a gradient may be clipped or cut off at."""
VANISHING: Final = 1e-290
"""Where terms lose bits as they come near the smallest number there is."""


def zero_gives_zero(example: Example, cache: Any, cotangents: Leaves) -> None:
    """No cotangent, no gradient."""
    zeros = {name: np.zeros_like(c) for name, c in cotangents.items()}
    for name, g in run_backward(example, zeros, cache).items():
        if np.any(g):
            raise Broken(
                "zero cotangent", f"the gradient of {name!r} is not 0 when those of all outputs are"
            )


def scales_to_the_bit(example: Example, cache: Any, cotangents: Leaves, gradients: Leaves) -> None:
    """backward(2^k c) = 2^k backward(c), as a power of two is not even rounded."""
    for factor in SCALES:
        scaled = {name: np.asarray(factor * c) for name, c in cotangents.items()}
        for name, g in run_backward(example, scaled, cache).items():
            off = np.abs(g - factor * gradients[name])
            if np.any(off > max(factor, 1.0) * VANISHING):
                raise Broken(
                    "linear",
                    f"{factor:.1g} times the cotangents do not make the gradient of {name!r} {factor:.1g} "
                    "times what it was: backward may not clip, round or drop what it computes",
                )


def parts_add_up(
    example: Example, cache: Any, cotangents: Leaves, gradients: Leaves, rng: Rng
) -> None:
    """backward(c) is the sum of what comes from parts of c, the rest of it being 0."""
    if len(cotangents) > 1:
        parts = [
            {k: c if k == part else np.zeros_like(c) for k, c in cotangents.items()}
            for part in cotangents
        ]
    else:
        on = {k: rng.random(np.shape(c)) < 0.5 for k, c in cotangents.items()}
        parts = [
            {k: np.asarray(c * (on[k] == side)) for k, c in cotangents.items()}
            for side in (True, False)
        ]
    found = [copied(run_backward(example, part, cache)) for part in parts]
    # Parts may cancel in the sum, and terms in a part, so that rounding is a part of their own size.
    sizes = [a for part in (*found, cotangents) for a in part.values()]
    size = max(float(np.max(np.abs(a), initial=0.0)) for a in sizes)
    for name, whole in gradients.items():
        off = np.abs(np.sum([part[name] for part in found], axis=0) - whole)
        if np.any(off > ADDED * size):
            raise Broken(
                "linear",
                f"the gradient of {name!r} is not the sum of what comes from parts of the cotangents: "
                "backward may not look at whether a cotangent is 0, nor at its size",
            )
