"""Time of one training step (loss, gradients, update) beside the bare matrix products of the same step.

    python benchmarks/train_step.py [DATA_FOLDER]

Both take turns in blocks of steps with a pause between, and the ratio is the median over rounds. Without a
data folder, captions are random, with the lengths and the vocabulary of Flickr8k.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

import rnnkit
from rnnkit.builder import Sizes, assemble
from rnnkit.data import HeldFeatures, Split, Vocabulary
from rnnkit.kinds import Array, Ints
from rnnkit.training import Trainer

WIDTH, HIDDEN, FEATURES, WORDS, TOKENS = 256, 512, 512, 2541, 17
ROUNDS, STEPS, PAUSE = 7, 4, 0.3
GATES = {"vanilla": 1, "gru": 3, "lstm": 4}


def batches(n: int, folder: str | None) -> list[tuple[Ints, Array]]:
    """Some batches of captions (n, T) and features (n, F)."""
    rng = np.random.default_rng(0)
    if folder:
        with rnnkit.open_data(folder) as data:
            split, float32 = data.split("train"), np.dtype(np.float32)
            rows = [rng.integers(0, len(split.captions), n) for _ in range(STEPS)]
            return [
                (split.captions[r], split.features.rows(split.image_idxs[r], float32)) for r in rows
            ]
    made: list[tuple[Ints, Array]] = []
    for _ in range(STEPS):
        captions = rng.zipf(1.3, (n, TOKENS)) % (WORDS - 4) + 4
        lengths = np.clip(rng.normal(12.5, 3.0, n).astype(int), 4, TOKENS)
        captions *= np.arange(TOKENS) < lengths[:, None]
        captions[:, 0] = 1
        made.append((captions, rng.standard_normal((n, FEATURES)).astype(np.float32)))
    return made


def training_step(cell: str, data: list[tuple[Ints, Array]]) -> Callable[[int], object]:
    """rnnkit's own step, on batch i."""
    spec = rnnkit.parse_spec(f'[[model.rnn]]\nhidden = {HIDDEN}\ncell = "{cell}"\n')
    model = assemble(spec, Sizes(FEATURES, Vocabulary.standard(WORDS), TOKENS))
    captions, features = data[0]
    trainer = Trainer(
        model, Split("train", captions, np.arange(len(captions)), HeldFeatures(features))
    )
    return lambda i: trainer.update(*data[i])


def products(cell: str, data: list[tuple[Ints, Array]]) -> Callable[[int], object]:
    """The matrix products that the step of batch i cannot do without."""
    rng, gates = np.random.default_rng(0), GATES[cell] * HIDDEN
    live = [(captions[:, 1:] != 0).sum(axis=0).tolist() for captions, _ in data]
    most = max(map(sum, live))

    def matrix(rows: int, columns: int) -> Array:
        return rng.standard_normal((rows, columns)).astype(np.float32)

    Wx, Wh, Wv = matrix(WIDTH, gates), matrix(HIDDEN, gates), matrix(HIDDEN, WORDS)
    all_x, all_h = matrix(most, WIDTH), matrix(most, HIDDEN)
    all_dz, all_ds = matrix(most, gates), matrix(most, WORDS)

    def run(i: int) -> None:
        m = sum(live[i])
        x, h, dz, ds = all_x[:m], all_h[:m], all_dz[:m], all_ds[:m]
        _ = x @ Wx, h @ Wv, ds @ Wv.T, h.T @ ds, dz @ Wx.T, x.T @ dz, h.T @ dz
        for rows in live[i]:
            _ = h[:rows] @ Wh, dz[:rows] @ Wh.T

    return run


def seconds(run: Callable[[int], object]) -> float:
    """Mean time over the batches."""
    time.sleep(PAUSE)  # the threads of the last product go on spinning for a while
    began = time.perf_counter()
    for i in range(STEPS):
        run(i)
    return (time.perf_counter() - began) / STEPS


def main(folder: str | None = None) -> None:
    print(f"{'cell':8} {'batch':>5} {'step ms':>9} {'products ms':>12} {'products / step':>16}")
    for cell in GATES:
        for n in (25, 128, 256):
            data = batches(n, folder)
            step, bare = training_step(cell, data), products(cell, data)
            step(0)
            rounds = [(seconds(step), seconds(bare)) for _ in range(ROUNDS)]
            whole, limit = (1e3 * statistics.median(times) for times in zip(*rounds, strict=True))
            ratio = statistics.median(b / a for a, b in rounds)
            print(f"{cell:8} {n:5} {whole:9.1f} {limit:12.1f} {ratio:16.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
