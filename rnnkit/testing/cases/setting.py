"""The sizes of numbers that a layer or a cell is checked with."""

from __future__ import annotations

from typing import Any, Final

import attrs

from rnnkit.kinds import Rng, map_arrays


@attrs.frozen
class Setting:
    """How large inputs and parameters are.

    Attributes:
        inputs: the standard deviation of inputs and of what states begin with.
        params: what initial parameters are multiplied by.
        noise: the standard deviation of what is added to them: a term with a parameter that begins as 0 must not
            hide.
        push: how many steps an input that stays the same pushes the state before; 0 for two with random ones.
        extreme: whether float32 need not agree with float64 beyond being finite.
        daring: whether parameters leave the range that a right forward pass must be able to compute in.
    """

    inputs: float = 1.0
    params: float = 1.0
    noise: float = 0.3
    push: int = 0
    extreme: bool = False
    daring: bool = False

    def stirred(self, params: Any, rng: Rng) -> Any:
        """Parameters of this size."""
        return map_arrays(
            lambda a: self.params * a + self.noise * rng.standard_normal(a.shape), params
        )


USUAL: Final = Setting()

SETTINGS: Final = {
    "large": Setting(inputs=12.0, extreme=True),
    "huge": Setting(inputs=100.0, extreme=True),
    "large parameters": Setting(inputs=0.05, noise=6.0, extreme=True, daring=True),
    "tiny": Setting(inputs=1e-4, params=1e-4, noise=1e-4),
    "zero": Setting(inputs=0.0),
}
"""What saturates, what is clipped, what is near 0 and what is 0."""

PUSHED: Final = Setting(inputs=12.0, push=40, extreme=True)
"""A state that has grown over many steps."""
