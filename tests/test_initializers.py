"""Initial values: their moments and their shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rnnkit.kinds import Array, Initializer, weights
from rnnkit_builtin.initializers.constant import Constant
from rnnkit_builtin.initializers.he import He
from rnnkit_builtin.initializers.normal import Normal
from rnnkit_builtin.initializers.orthogonal import Orthogonal
from rnnkit_builtin.initializers.uniform import Uniform
from rnnkit_builtin.initializers.xavier import Xavier
from rnnkit_builtin.initializers.zeros import Zeros

IN, OUT = 300, 500
ALL = [
    *(Zeros(), Constant(0.1), Normal(), Uniform(), Xavier(), Xavier("normal"), He(), Orthogonal()),
]


def filled(init: Initializer, shape: tuple[int, ...], dtype: type[np.floating[Any]]) -> Array:
    rng = np.random.default_rng(4)
    return init.fill(shape, shape[0], shape[-1], rng, np.dtype(dtype))


@pytest.mark.parametrize("init", ALL, ids=str)
def test_both_float_types_get_the_same_numbers(init: Initializer) -> None:
    double, single = filled(init, (6, 4), np.float64), filled(init, (6, 4), np.float32)
    assert double.dtype == np.float64
    assert single.dtype == np.float32
    assert single.shape == (6, 4)
    assert single.flags.c_contiguous
    assert np.array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize(
    ("init", "std"),
    [
        (Normal(), 1 / math.sqrt(IN)),
        (Normal(std=0.01), 0.01),
        (Xavier("normal"), math.sqrt(2 / (IN + OUT))),
        (Xavier("normal", gain=3.0), 3 * math.sqrt(2 / (IN + OUT))),
        (He(), math.sqrt(2 / IN)),
        (He(slope=0.5), math.sqrt(2 / (1.25 * IN))),
    ],
    ids=str,
)
def test_normal_numbers_have_their_moments(init: Initializer, std: float) -> None:
    z = filled(init, (IN, OUT), np.float64) / std
    assert z.mean() == pytest.approx(0.0, abs=0.01)
    assert (z**2).mean() == pytest.approx(1.0, abs=0.01)
    assert (z**4).mean() == pytest.approx(3.0, abs=0.06)


@pytest.mark.parametrize(
    ("init", "limit"),
    [
        (Uniform(), 1 / math.sqrt(IN)),
        (Uniform(limit=0.2), 0.2),
        (Xavier(), math.sqrt(6 / (IN + OUT))),
        (Xavier(gain=0.5), 0.5 * math.sqrt(6 / (IN + OUT))),
    ],
    ids=str,
)
def test_uniform_numbers_fill_their_range_evenly(init: Initializer, limit: float) -> None:
    z = filled(init, (IN, OUT), np.float64) / limit
    assert np.abs(z).max() <= 1
    counts, _ = np.histogram(z, bins=10, range=(-1, 1))
    np.testing.assert_allclose(counts / z.size, 0.1, rtol=0, atol=0.005)


def test_constants_are_constant() -> None:
    assert np.all(filled(Constant(-0.3), (3,), np.float64) == -0.3)
    assert not filled(Zeros(), (3,), np.float64).any()


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 1), (1, 1)])
def test_orthogonal_matrices_keep_lengths(shape: tuple[int, int]) -> None:
    w = filled(Orthogonal(gain=2.0), shape, np.float64)
    assert w.shape == shape
    short = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(short, 4.0 * np.eye(min(shape)), rtol=0, atol=1e-13)


def test_orthogonal_matrices_are_drawn_evenly() -> None:
    """A fixed entry of an even 2 by 2 rotation or reflection has mean 0, and mean square 1/2."""
    rng = np.random.default_rng(0)
    draws = [Orthogonal().fill((2, 2), 2, 2, rng, np.dtype(np.float64)) for _ in range(2000)]
    np.testing.assert_allclose(np.mean(draws, axis=0), 0.0, atol=0.06)
    np.testing.assert_allclose(np.mean(np.square(draws), axis=0), 0.5, atol=0.03)
    assert np.mean([np.linalg.det(q) for q in draws]) == pytest.approx(0.0, abs=0.08)


def test_orthogonal_refuses_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match=r"shape \(5,\); take another initializer"):
        filled(Orthogonal(), (5,), np.float64)


def test_weights_that_are_left_open_keep_the_variance_from_input_to_output() -> None:
    rng = np.random.default_rng(0)
    assert weights(None, 400, 300, rng, np.dtype(np.float64)).std() == pytest.approx(
        1 / 20, rel=0.01
    )
    assert weights(None, 4, 3, rng, np.dtype(np.float32)).dtype == np.float32
    one, other = (
        weights(w, 5, 3, np.random.default_rng(1), np.dtype(np.float64)) for w in (None, Normal())
    )
    assert np.array_equal(one, other)
