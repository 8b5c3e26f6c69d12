"""Gradients of whole networks against complex steps, which round nothing away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnkit.kinds import Array, Ints
from rnnkit.network.model import Captioner


def assert_gradients(model: Captioner, features: Array, captions: Ints, seed: int | None) -> None:
    """For every parameter array, along a random direction; training with this seed, or evaluating without one."""

    def rng() -> np.random.Generator | None:
        return None if seed is None else np.random.default_rng(seed)

    _, gradients = model.loss_and_gradients(features, captions, rng())
    assert list(gradients) == list(model.parameters)
    directions = np.random.default_rng(1)
    for name, w in model.parameters.items():
        v = directions.standard_normal(w.shape)
        moved = {k: a.astype(complex) for k, a in model.parameters.items()}
        moved[name] += 1e-30j * v
        stepped: Any = model.with_parameters(moved)
        slope = stepped.evaluate(features, captions, rng(), backward=False)[0].imag / 1e-30
        assert np.sum(gradients[name] * v) == pytest.approx(slope, rel=1e-12, abs=1e-15), name
