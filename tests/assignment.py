"""What the tests of the assignment's numbers share: its inputs, its error, and an output that it prints."""

from __future__ import annotations

import numpy as np

from rnnkit.kinds import Array


def ramp(begin: float, end: float, *shape: int) -> Array:
    return np.linspace(begin, end, int(np.prod(shape))).reshape(shape)


def rel_error(x: Array, y: Array) -> float:
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y))))


SEQUENCE = np.array(
    [
        [
            [-0.35757005, -0.22854339, -0.09095507, 0.05019554, 0.18936904, 0.32132822],
            [-0.20789153, -0.05339845, 0.10369398, 0.25577779, 0.39617425, 0.52020447],
            [-0.28852623, -0.11106078, 0.07378196, 0.25369063, 0.41760738, 0.5582089],
            [-0.22451474, -0.03985937, 0.14755928, 0.32494804, 0.48208299, 0.61331587],
        ],
        [
            [-0.44715081, -0.28423792, -0.10307224, 0.08520022, 0.26757888, 0.43260827],
            [-0.10621368, 0.07333185, 0.24824648, 0.40834448, 0.54672801, 0.66054612],
            [-0.32601186, -0.11486438, 0.10719865, 0.31905786, 0.50320119, 0.65073314],
            [-0.1694327, 0.04334766, 0.25226682, 0.44004741, 0.59588814, 0.71688379],
        ],
    ]
)
"""Hidden states of the notebook's cell 7: N, T, H = 2, 4, 6."""
