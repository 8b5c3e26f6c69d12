"""Fine-tuning on real data: what a model knows of one data set helps with another, of other words."""

from __future__ import annotations

from pathlib import Path

import pytest

import rnnkit
from rnnkit.training import Record, Trainer

SPEC = """
[data]
raw = true
[model]
inject = "par"
image = { use = "affine", units = 64 }
words = { use = "embedding", dim = 64 }
[[model.rnn]]
hidden = 96
cell = "lstm"
[train]
batch = 128
clip = 5.0
metric = "cider"
average = 0.9
optimizer = { use = "adam", learning_rate = 5e-3 }
schedule = { use = "warm-up", steps = 5 }
"""


def trained(
    data: Path, out: Path, updates: int, start: Path | None = None, rate: float = 5e-3
) -> Record:
    """The evaluation after so many updates, which end the run."""
    trainers: list[Trainer] = []

    def end(_: Record) -> None:
        trainers[0].stop = True

    overrides = [f"train.evaluate={updates}", f"train.optimizer.learning_rate={rate}"]
    run = rnnkit.train(
        rnnkit.parse_spec(SPEC, overrides=overrides),
        data,
        out,
        start_from=start,
        on_start=lambda trainer, _: trainers.append(trainer),
        on_record=end,
    )
    return run.history.records[0]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("first", "updates", "then"),
    [("flickr8k", 400, "coco_mini_cs231n"), ("coco_mini_cs231n", 200, "flickr8k")],
)
def test_what_is_learnt_from_other_captions_saves_nine_updates_of_ten(
    first: str, updates: int, then: str, real_data: Path, tmp_path: Path
) -> None:
    trained(real_data / first, tmp_path / "first", updates)
    nothing = trained(real_data / then, tmp_path / "nothing", 100)
    tuned = trained(real_data / then, tmp_path / "tuned", 10, tmp_path / "first", rate=1e-2)
    assert tuned.val_nats is not None
    assert nothing.val_nats is not None
    assert tuned.val_metric is not None
    assert nothing.val_metric is not None
    assert tuned.val_nats < nothing.val_nats
    assert tuned.val_metric > nothing.val_metric
