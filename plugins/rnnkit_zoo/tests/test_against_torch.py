"""Every cell computes what an independent PyTorch implementation of its paper's equations computes.

reference/make_reference.py has the keys, and recorded the values.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

import rnnkit
from rnnkit.kinds import Array, RecurrentCell, map_arrays, named_arrays
from rnnkit.network import Packing, Recurrence, recurrent_layer

Case: TypeAlias = dict[str, npt.NDArray[Any]]

TESTS = Path(__file__).parent
PROJECT = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CELLS: list[str] = sorted(PROJECT["entry-points"][RecurrentCell.group])


def recorded() -> dict[str, Case]:
    """The arrays of each recorded cell, by its name in a spec."""
    cases: dict[str, Case] = {}
    with np.load(TESTS / "reference" / "reference.npz") as file:
        for key, array in file.items():
            module, name = key.split("/")
            cases.setdefault(module.replace("_", "-"), {})[name] = array
    return cases


RECORDED = recorded()


def recurrence(name: str, want: Case) -> Recurrence[Any, Any, Any]:
    """The cell at its default options over time, with the recorded parameters."""
    cell: RecurrentCell[Any, Any, Any] = rnnkit.load_plugin(
        RecurrentCell, f"{PROJECT['name']}:{name}"
    )
    d, h, rng = want["x"].shape[2], want["h0"].shape[1], np.random.default_rng(0)
    made = recurrent_layer(cell, d, h, rng, want["x"].dtype)
    names = iter([f"p.{path}" for path, _ in named_arrays(made.params)])
    return made.with_params(map_arrays(lambda _: want[next(names)], made.params))


def agree(got: Array, want: Array, what: str) -> None:
    """Equal to 1e-12 of the larger of 1 and the largest number."""
    assert got.shape == want.shape, what
    off, scale = np.max(np.abs(got - want), initial=0.0), np.max(np.abs(want), initial=1.0)
    assert off <= 1e-12 * scale, f"{what} is {off:.1e} off"


def test_every_cell_is_recorded() -> None:
    assert sorted(RECORDED) == CELLS


@pytest.mark.parametrize("name", CELLS)
def test_sequences_of_different_lengths_agree_with_pytorch(name: str) -> None:
    want = RECORDED[name]
    rnn, packing = recurrence(name, want), Packing.of_lengths(want["lengths"])
    h, tape = rnn.forward(packing.pack(want["x"]), packing.enter(want["h0"]), packing)
    agree(packing.unpack(h, want["h"].shape[1]), want["h"], "h")
    dx, dh0, dp = rnn.backward(packing.pack(want["dh"]), tape)
    agree(packing.unpack(dx, want["x"].shape[1]), want["dx"], "dx")
    agree(packing.leave(dh0), want["dh0"], "dh0")
    gradients = dict(named_arrays(dp))
    assert set(gradients) == {key.removeprefix("d.") for key in want if key.startswith("d.")}
    for path, gradient in gradients.items():
        agree(gradient, want[f"d.{path}"], path)


@pytest.mark.parametrize("name", CELLS)
def test_single_steps_give_what_sequences_give(name: str) -> None:
    want = RECORDED[name]
    rnn = recurrence(name, want)
    for row, length in enumerate(want["lengths"].tolist()):
        state = rnn.start(want["h0"][[row]])
        for t in range(length):
            state = rnn.advance(rnn.project(want["x"][[row], t]), state)
            agree(state.h[0], want["h"][row, t], f"h of sequence {row} at step {t}")
