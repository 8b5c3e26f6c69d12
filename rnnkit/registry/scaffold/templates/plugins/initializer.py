"""w ~ N(0, sigma^2): where the numbers come from, in one line.

Authors, "Title" (year), section.
"""

from __future__ import annotations

import attrs

from rnnkit.kinds import Array, DType, Initializer, Rng


@attrs.frozen
class NewPlugin(Initializer):
    """What it is, in one line.

    An option is a field, as in `gain: float = 1.0`, and is described here under `Attributes:`.
    """

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        raise NotImplementedError("write the array: draw from rng in float64, then .astype(dtype)")
