"""Bare pairs of functions, as the assignment's students write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnkit.kinds import Array, Ints
from rnnkit.testing import check

Cache = tuple[Any, ...]


def step_forward(
    x: Array, prev_h: Array, Wx: Array, Wh: Array, b: Array, use_tanh: bool = True
) -> tuple[Array, Cache]:
    z = x @ Wx + prev_h @ Wh + b
    h = np.tanh(z) if use_tanh else 1.0 / (1.0 + np.exp(-z))
    return h, (x, prev_h, Wx, Wh, h)


def step_backward(dh: Array, cache: Cache, use_tanh: bool = True) -> tuple[Array, ...]:
    x, prev_h, Wx, Wh, h = cache
    dz = dh * (1.0 - h * h if use_tanh else h * (1.0 - h))
    return dz @ Wx.T, dz @ Wh.T, x.T @ dz, prev_h.T @ dz, dz.sum(axis=0)


def forward(x: Array, h0: Array, Wx: Array, Wh: Array, b: Array) -> tuple[Array, list[Cache]]:
    # Written the way students do: into an array that has been made before, which is real.
    N, T, _ = x.shape
    out, caches, h = np.zeros((N, T, h0.shape[1])), [], h0
    for t in range(T):
        h, cache = step_forward(x[:, t], h, Wx, Wh, b)
        out[:, t] = h
        caches.append(cache)
    return out, caches


def backward(dout: Array, caches: list[Cache], first: int = 0) -> tuple[Array, ...]:
    N, T, H = dout.shape
    D = caches[0][0].shape[1]
    dx = np.zeros((N, T, D))
    dh: Array = np.zeros((N, H))
    dWx: Array = np.zeros((D, H))
    dWh: Array = np.zeros((H, H))
    db: Array = np.zeros(H)
    for t in reversed(range(first, T)):
        dx[:, t], dh, dWx_t, dWh_t, db_t = step_backward(dout[:, t] + dh, caches[t])
        dWx, dWh, db = dWx + dWx_t, dWh + dWh_t, db + db_t
    return dx, dh, dWx, dWh, db


def arrays(T: int | None = None) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    N, D, H = 3, 4, 5
    x = rng.standard_normal((N, D) if T is None else (N, T, D))
    h = {"prev_h" if T is None else "h0": rng.standard_normal((N, H))}
    weights = {"Wx": rng.standard_normal((D, H)), "Wh": rng.standard_normal((H, H))}
    return {"x": x, **h, **weights, "b": rng.standard_normal(H)}


@pytest.mark.parametrize("use_tanh", [True, False])
def test_a_right_step_passes_with_its_flag(use_tanh: bool) -> None:
    assert check(step_forward, step_backward, **arrays(), use_tanh=use_tanh) < 1e-14


def test_a_right_sequence_passes_although_it_fills_a_real_array() -> None:
    assert check(forward, backward, **arrays(T=4)) < 1e-8


def test_a_dropped_time_step_is_found_and_named() -> None:
    def dropped(dout: Array, caches: list[Cache]) -> tuple[Array, ...]:
        return backward(dout, caches, first=1)

    with pytest.raises(AssertionError) as caught:
        check(forward, dropped, **arrays(T=4))
    text = str(caught.value)
    assert "dropped is wrong" in text
    assert "index 0 of axis 1 has been left out" in text


def test_a_transposed_weight_gradient_is_named() -> None:
    def transposed(dh: Array, cache: Cache) -> tuple[Array, ...]:
        dx, dprev_h, dWx, dWh, db = step_backward(dh, cache)
        return dx, dprev_h, dWx, dWh.T, db

    with pytest.raises(AssertionError) as caught:
        check(step_forward, transposed, **arrays())
    lines = {line.split()[0]: line for line in str(caught.value).splitlines()[2:]}
    assert "transpose" in lines["Wh"]
    assert all("right" in lines[name] for name in ("x", "prev_h", "Wx", "b"))


def test_a_missing_sum_is_told_by_its_shape() -> None:
    def unsummed(dh: Array, cache: Cache) -> tuple[Array, ...]:
        *rest, _ = step_backward(dh, cache)
        h = cache[-1]
        return *rest, dh * (1.0 - h * h)

    with pytest.raises(
        AssertionError, match=r"gradient of 'b' has shape \(3, 5\), not \(5,\): a sum"
    ):
        check(step_forward, unsummed, **arrays())


def test_integer_arrays_are_passed_on_without_a_gradient() -> None:
    def lookup(x: Ints, W: Array) -> tuple[Array, tuple[Ints, tuple[int, ...]]]:
        return W[x], (x, W.shape)

    def lookup_back(dout: Array, cache: tuple[Ints, tuple[int, ...]]) -> Array:
        dW = np.zeros(cache[1])
        np.add.at(dW, cache[0], dout)
        return dW

    def forgets_repeats(dout: Array, cache: tuple[Ints, tuple[int, ...]]) -> Array:
        dW = np.zeros(cache[1])
        dW[cache[0]] += dout
        return dW

    tokens, W = np.array([[0, 3, 3], [1, 0, 3]]), np.random.default_rng(0).standard_normal((5, 2))
    check(lookup, lookup_back, x=tokens, W=W)
    with pytest.raises(AssertionError, match="the gradient of 'W' is wrong"):
        check(lookup, forgets_repeats, x=tokens, W=W)


def test_a_wrong_number_of_gradients_is_told() -> None:
    with pytest.raises(
        AssertionError, match="returns 2 gradients, but there are 5 float arrays: x, prev_h"
    ):
        check(step_forward, lambda dh, cache: (dh, dh), **arrays())


@pytest.mark.parametrize("odd", [(x for x in "ab"), "dWx", object(), {"Wx": 1}])
def test_what_is_no_gradient_is_told(odd: object) -> None:
    def spoilt(dh: Array, cache: Cache) -> tuple[Any, ...]:
        dx, dprev_h, _, dWh, db = step_backward(dh, cache)
        return dx, dprev_h, odd, dWh, db

    with pytest.raises(
        AssertionError, match=r"the gradient of 'Wx' is .*, not an array of numbers"
    ):
        check(step_forward, spoilt, **arrays())
