"""Pictures that tests encode, the same wherever they are made."""

from __future__ import annotations

import numpy as np

from rnnkit.kinds import Picture


def pattern(size: int, pitch: int) -> Picture:
    """Stripes, rings and gratings, (size, size, 3), of whole numbers alone."""
    y, x = np.mgrid[:size, :size]
    channels = (x * x // 9 + pitch * y, x * y // 11, 5 * x + y * y // (2 + pitch))
    return (np.stack(channels, axis=-1) % 256).astype(np.uint8)
