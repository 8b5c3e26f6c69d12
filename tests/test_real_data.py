"""Real photographs and captions, where a developer has them."""

from __future__ import annotations

from pathlib import Path

import pytest

import rnnkit

FLICKR = Path(__file__).parents[1] / "specs" / "flickr8k-lstm.toml"


@pytest.mark.parametrize("cell", ["lstm", "gru", "vanilla"])
def test_the_flickr8k_spec_learns_with_any_cell(cell: str, real_data: Path, tmp_path: Path) -> None:
    small = ["model.rnn[0].hidden=64", "model.words[0].dim=64", "train.epochs=2"]
    fast = ["train.optimizer.learning_rate=5e-3", "train.schedule=constant"]
    run = rnnkit.train(
        FLICKR,
        real_data / "coco_mini_cs231n",
        tmp_path / "run",
        [*small, *fast, f"model.rnn[0].cell={cell}"],
    )
    val = run.history.records[-1].val_nats
    # Words by their frequency in train alone come to 4.81 nats.
    assert val is not None
    assert val < 4.6


def test_flickr8k_is_built_at_its_own_sizes(real_data: Path) -> None:
    model = rnnkit.build(FLICKR, real_data / "flickr8k")
    assert model.parameters["head.1.W"].shape == (512, 2541)
    assert model.parameters["image.0.W"].shape == (512, 512)
