"""y = x m / (1 - rate) while training, with m = 0 at probability `rate` and 1 otherwise; y = x outside training.

Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, "Dropout" (2014), section 10 (the inverted form).
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
from attrs.validators import and_, ge, lt

from rnnkit.kinds import Array, DType, Layer, NoParams, Rng


@attrs.frozen
class Dropout(Layer[Array, NoParams, Array | None]):
    """Inverted dropout: each element alone is zeroed, and the others are scaled up to keep the mean.

    Attributes:
        rate: probability of zeroing, in [0, 1).
    """

    rate: float = attrs.field(default=0.5, validator=and_(ge(0.0), lt(1.0)))
    random: ClassVar[bool] = True

    def out_features(self, in_features: int) -> int:
        return in_features

    def init(self, in_features: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Array | None]:
        if rng is None or self.rate == 0.0:
            return x, None
        # Single precision whatever x is: it is faster, and both types get the same mask.
        keep = rng.random(x.shape, np.float32) >= self.rate
        gain = keep.astype(x.real.dtype)
        gain /= 1.0 - self.rate
        return x * gain, gain

    def backward(self, p: NoParams, dy: Array, cache: Array | None) -> tuple[Array, NoParams]:
        return dy if cache is None else dy * cache, p
