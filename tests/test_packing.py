"""The order of packed sequences."""

from __future__ import annotations

import numpy as np
import pytest

from rnnkit.network import Packing

LENGTHS = [[1], [3, 3], [0, 2], [2, 0, 5, 5, 1, 3], [0, 0]]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_packing_holds_every_token_once_and_in_step_order(lengths: list[int]) -> None:
    packing = Packing.of_lengths(np.array(lengths))
    tokens = list(zip(packing.rows.tolist(), packing.steps.tolist(), strict=True))
    assert sorted(tokens) == [(r, t) for r, n in enumerate(lengths) for t in range(n)]
    assert [step for _, step in tokens] == sorted(step for _, step in tokens)
    for t, (begin, end) in enumerate(packing.spans):
        assert packing.steps[begin:end].tolist() == [t] * (end - begin)
        assert packing.rows[begin:end].tolist() == packing.order[: end - begin].tolist()


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_previous_finds_the_step_before(lengths: list[int]) -> None:
    packing = Packing.of_lengths(np.array(lengths))
    initial = -1.0 - packing.order  # a mark for each row's initial state
    outputs = packing.rows * 10.0 + packing.steps
    before = np.concatenate([initial, outputs])[packing.previous]
    wanted = [
        -1.0 - r if t == 0 else r * 10.0 + t - 1
        for r, t in zip(packing.rows, packing.steps, strict=True)
    ]
    assert before.tolist() == wanted


def test_a_row_ends_at_its_last_unmasked_target_and_holes_are_stepped_through() -> None:
    mask = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0]], bool)
    packing = Packing.of_mask(mask)
    assert np.bincount(packing.rows, minlength=4).tolist() == [3, 0, 4, 2]


def test_enter_and_leave_are_transposes() -> None:
    rng = np.random.default_rng(0)
    packing = Packing.of_lengths(np.array([2, 0, 5, 1]))
    a, b = rng.standard_normal((4, 3)), rng.standard_normal((3, 3))
    assert np.sum(packing.enter(a) * b) == pytest.approx(np.sum(a * packing.leave(b)), rel=1e-15)
    assert packing.leave(b)[1].tolist() == [0, 0, 0]


def test_unpack_puts_tokens_back_and_zeros_beyond_the_end() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    lengths = np.array([2, 4, 1])
    packing = Packing.of_lengths(lengths)
    back = packing.unpack(packing.pack(x), 4)
    live = np.arange(4) < lengths[:, None]
    assert np.array_equal(back, x * live[..., None])


def test_pack_and_unpack_are_transposes() -> None:
    rng = np.random.default_rng(0)
    packing = Packing.of_lengths(np.array([2, 0, 5, 1]))
    a, b = rng.standard_normal((4, 6, 3)), rng.standard_normal((8, 3))
    assert np.sum(packing.pack(a) * b) == pytest.approx(np.sum(a * packing.unpack(b, 6)), rel=1e-14)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_ends_are_the_last_token_of_each_row_with_one(lengths: list[int]) -> None:
    packing = Packing.of_lengths(np.array(lengths))
    assert packing.rows[packing.ends].tolist() == packing.order.tolist()
    assert packing.steps[packing.ends].tolist() == [lengths[row] - 1 for row in packing.order]
