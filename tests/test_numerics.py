"""What plugins share: stable, analytic, and the same in both types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnkit.numerics import clip_by_norm, log_softmax, sigmoid, sum_rows


def test_sigmoid_is_right_far_out_and_does_not_warn() -> None:
    x = np.array([-800.0, -30.0, -1.0, 0.0, 1.0, 30.0, 800.0])
    want = [0.0, 9.357622968839299e-14, 0.2689414213699951, 0.5, 0.7310585786300049, 1.0, 1.0]
    np.testing.assert_allclose(sigmoid(x), want, rtol=1e-12, atol=1e-300)
    assert sigmoid(x.astype(np.float32)).dtype == np.float32


def test_log_softmax_is_finite_for_any_scores_and_sums_to_one() -> None:
    scores = np.array([[0.0, 0.0], [1e4, -1e4], [700.0, 710.0]])
    log_p = log_softmax(scores)
    assert np.isfinite(log_p).all()
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(log_p[1], [0.0, -2e4], rtol=1e-15)


def test_complex_steps_pass_through() -> None:
    x: Any = np.array([0.3, -1.2]) + 1e-30j
    s = sigmoid(x)
    np.testing.assert_allclose(s.imag / 1e-30, s.real * (1 - s.real), rtol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_summed_by_their_index(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, index = rng.standard_normal((40, 3)), rng.integers(0, 30, 40)
    want = np.zeros((30, 3))
    np.add.at(want, index, rows)
    np.testing.assert_allclose(sum_rows(rows, index, 30), want, rtol=0, atol=1e-14)


def test_no_rows_sum_to_zero() -> None:
    got = sum_rows(np.zeros((0, 2), np.float32), np.zeros(0, int), 3)
    assert got.dtype == np.float32
    assert got.tolist() == [[0, 0]] * 3


def test_gradients_are_clipped_together_to_the_norm_they_may_have() -> None:
    gradients = {"W": np.array([[3.0, 0.0], [0.0, 4.0]]), "b": np.array([12.0])}
    clipped, norm = clip_by_norm(gradients, 6.5)
    assert norm == 13.0
    np.testing.assert_array_equal(clipped["W"], [[1.5, 0.0], [0.0, 2.0]])
    np.testing.assert_array_equal(clipped["b"], [6.0])
    np.testing.assert_array_equal(gradients["b"], [12.0])


def test_gradients_within_the_norm_are_left_alone() -> None:
    for gradients in ({"W": np.array([3.0]), "b": np.array([4.0])}, {"W": np.zeros(2)}, {}):
        clipped, norm = clip_by_norm(gradients, 5.0)
        assert norm in (5.0, 0.0)
        assert all(clipped[name] is g for name, g in gradients.items())
        assert clipped.keys() == gradients.keys()


def test_clipping_keeps_the_type_and_is_pytorchs_but_for_its_epsilon() -> None:
    g = np.array([3.0, 4.0], np.float32)
    clipped, norm = clip_by_norm({"g": g}, 1.0)
    assert clipped["g"].dtype == np.float32
    pytorch = g * (1.0 / (norm + 1e-6))  # as the documentation of clip_grad_norm_ has it
    np.testing.assert_allclose(clipped["g"], pytorch, rtol=3e-7)
    np.testing.assert_allclose(np.linalg.norm(clipped["g"]), 1.0, rtol=1e-7)
