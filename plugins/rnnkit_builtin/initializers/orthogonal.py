"""w = gain Q with orthonormal columns, or rows if it has more columns than rows: drawn evenly from all such Q.

Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
networks" (2014), section 3.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
from attrs.validators import gt

from rnnkit.kinds import Array, DType, Initializer, Rng


@attrs.frozen
class Orthogonal(Initializer):
    """A matrix that keeps lengths, but for a gain.

    Attributes:
        gain: factor on all values.
    """

    gain: float = attrs.field(default=1.0, validator=gt(0.0))

    def fill(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Rng, dtype: DType
    ) -> Array:
        if len(shape) != 2:
            raise ValueError(
                f"orthogonal fills matrices, and this array has shape {shape}; take another initializer "
                "for it, such as zeros"
            )
        q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
        # Without the signs of R's diagonal some matrices would be likelier than others.
        q *= self.gain * np.sign(np.diagonal(r))
        return (q if shape[0] >= shape[1] else q.T).astype(dtype, order="C")

    def moments(self, fan_in: int, fan_out: int) -> tuple[float, float]:
        # Each of the shorter side's vectors has length gain, spread evenly over the longer side.
        return 0.0, self.gain / math.sqrt(max(fan_in, fan_out))
