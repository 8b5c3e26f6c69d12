"""How far rounding moves a right gradient.

Where a gate saturates, 1 - i is the difference of two nearly equal numbers, and has few digits left.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import numpy as np

from rnnkit.kinds import Array, Rng
from rnnkit.testing.example import Example, Leaves, copied, equal_bits
from rnnkit.testing.names import arrays

NUDGES: Final = 4
"""How often what forward has kept is moved in its last place."""


def unrest(
    example: Example, cotangents: Leaves, cache: Any, name: str, direction: Array, rng: Rng
) -> float:
    """How far the slope along a direction of one leaf moves if what is in the cache moves in its last place.

    Inputs that are kept there do not move, as nothing has rounded them. Nor does what is kept in fewer digits than the
    leaf has: the last place of those is no rounding that a right gradient needs.

    A derivative that is computed from the inputs, as by a complex step, does not go through the cache, and may be off
    as far from a right gradient (Vignes, "A stochastic arithmetic for reliable scientific computation", 1993).
    """
    slopes = []
    for _ in range(NUDGES):
        moved = copy.deepcopy(cache)  # it may have arrays of the caller's
        for _, a in arrays(example.named(moved)):
            is_input = any(equal_bits(a, leaf) for leaf in example.leaves.values())
            if a.dtype == direction.dtype and a.flags.writeable and not is_input:
                a += np.spacing(a) * rng.integers(-1, 2, a.shape)
        found = example.backward(copied(example.leaves), copied(cotangents), moved)[name]
        slopes.append(float(np.sum(found * direction)))
    return max(slopes) - min(slopes)
