"""Packing, projected words, blocks and threads change nothing: losses are those of the plain way of computing."""

from __future__ import annotations

import numpy as np
import pytest

import rnnkit.system.process
from benchmarks.contenders.plain_numpy import adam, loss_and_grads
from rnnkit.data import HeldFeatures, Split, Vocabulary
from rnnkit.kinds import Array, Ints
from rnnkit.network.builder import assemble
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec
from rnnkit.system.process import Threads
from rnnkit.training import Trainer

N, F, T, V, STEPS = 24, 12, 11, 60, 50

SPEC = """
[model]
dtype = "{dtype}"
words = {{ use = "embedding", dim = 10 }}
[[model.rnn]]
hidden = 16
cell = "{cell}"
[train]
optimizer = {{ use = "adam", learning_rate = 1e-3 }}
"""


def batches(dtype: str) -> list[tuple[Ints, Array]]:
    """Captions (N, T) of lengths from 1 word to all, and features (N, F)."""
    rng = np.random.default_rng(0)
    made: list[tuple[Ints, Array]] = []
    for _ in range(5):
        captions = rng.integers(4, V, (N, T)) * (np.arange(T) < rng.integers(2, T + 1, N)[:, None])
        captions[:, 0] = 1
        made.append((captions, rng.standard_normal((N, F)).astype(dtype)))
    return made


@pytest.mark.parametrize(("dtype", "agreement"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("cell", ["vanilla", "lstm", "gru"])
def test_fifty_losses_are_those_of_the_plain_path(
    cell: str, dtype: str, agreement: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rnnkit.system.process, "_threads", Threads(2, lambda: 2, True))
    monkeypatch.setattr(rnnkit.system.process, "GRAIN", 64)
    monkeypatch.setattr("rnnkit.network.head.HEAD_ROWS", 50)
    monkeypatch.setattr("rnnkit.network.losses.LOSS_SIZE", 10 * V)
    monkeypatch.setattr("rnnkit.training.blocks.UPDATE_SIZE", 100)
    model = assemble(
        parse_spec(SPEC.format(cell=cell, dtype=dtype)), Sizes(F, Vocabulary.standard(V), T)
    )
    data = batches(dtype)
    plain = {name: w.copy() for name, w in model.parameters.items()}
    slots: dict[str, dict[str, object]] = {name: {} for name in plain}
    trainer = Trainer(model, Split("train", data[0][0], np.arange(N), HeldFeatures(data[0][1])))
    for step in range(STEPS):
        captions, features = data[step % len(data)]
        want, grads = loss_and_grads(plain, cell, features, captions)
        for name, dw in grads.items():
            plain[name], slots[name] = adam(plain[name], dw, slots[name])
        assert trainer.update(captions, features).loss == pytest.approx(want, rel=agreement), step
