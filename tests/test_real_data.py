"""The spec for photographs: on real ones, where a developer has them, and on what has their form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rnnkit
from tests.datafolders import WORDS, write_data_folder

FLICKR = Path(__file__).parents[1] / "specs" / "flickr8k-lstm.toml"


@pytest.mark.parametrize("cell", ["lstm", "gru", "vanilla"])
def test_the_flickr8k_spec_learns_with_any_cell(cell: str, coco_mini: Path, tmp_path: Path) -> None:
    small = ["model.rnn[0].hidden=64", "model.words[0].dim=64", "train.epochs=2"]
    fast = ["train.optimizer.learning_rate=5e-3", "train.schedule=constant"]
    run = rnnkit.train(
        FLICKR, coco_mini, tmp_path / "run", [*small, *fast, f"model.rnn[0].cell={cell}"]
    )
    val = run.history.records[-1].val_nats
    assert val is not None
    assert val < 0.95 * nats_by_frequency(coco_mini)


def nats_by_frequency(folder: Path) -> float:
    """What a word of val costs by its frequency in train alone; 4.81 for COCO-mini."""
    with rnnkit.open_data(folder) as data:
        train, val = (data.split(name).captions[:, 1:] for name in ("train", "val"))
        counts = np.bincount(train[train > 0], minlength=len(data.vocabulary))
    shares = np.maximum(counts, 1) / counts.sum()
    return float(-np.log(shares[val[val > 0]]).mean())


def test_flickr8k_is_built_at_its_own_sizes(tmp_path: Path) -> None:
    words = [*WORDS, *(f"word{i}" for i in range(2541 - len(WORDS)))]
    folder = write_data_folder(tmp_path, width=512, words=words)
    model = rnnkit.build(FLICKR, folder)
    assert model.parameters["head.1.W"].shape == (512, 2541)
    assert model.parameters["image.0.W"].shape == (512, 512)
