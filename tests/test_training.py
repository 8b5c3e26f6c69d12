"""Training, model files and runs."""

from __future__ import annotations

import csv
import math
import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnkit
from rnnkit.captioning import caption_split
from rnnkit.checkpoint import load_model
from rnnkit.errors import CheckpointError, DataError, SpecError
from rnnkit.training import Epoch, Step, Trainer

SPEC = """
[model]
words = { use = "embedding", dim = 16 }
[[model.rnn]]
hidden = 24
cell = "lstm"
[train]
epochs = 3
batch = 16
optimizer = { use = "adam", learning_rate = 5e-3 }
schedule = { use = "exponential", decay = 0.5 }
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(SPEC)
    return file


def test_a_run_has_its_model_history_and_spec(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    seen: list[Step] = []
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=seen.append)
    assert sorted(f.name for f in run.folder.iterdir()) == ["history.csv", "last.h5", "spec.toml"]
    assert [s.number for s in seen] == list(range(1, seen[-1].steps + 1))
    with (run.folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["learning_rate_factor"]) for row in rows] == [1.0, 0.5, 0.25]
    last = run.history[-1]
    assert float(rows[-1]["val_nats"]) == last.val_nats
    assert last.train_nats < run.history[0].train_nats
    assert last.val_nats is not None
    assert last.val_perplexity == math.exp(last.val_nats)
    again = rnnkit.read_spec(run.folder / "spec.toml")
    assert again == run.model.spec
    assert again.data.path == str(tiny_data)


def test_val_nats_are_the_mean_over_all_tokens(spec: Path, tiny_data: Path) -> None:
    model = rnnkit.build(spec, tiny_data)
    with rnnkit.open_data(tiny_data) as data:
        val = data.split("val")
        features = val.features.rows(val.image_idxs, model.dtype)
        nats, tokens = model.nats(features, val.captions)
        assert rnnkit.training.evaluate(model, val) == pytest.approx(nats / tokens, rel=1e-6)


def test_the_same_seed_gives_the_same_bits(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    a, b = (rnnkit.train(spec, tiny_data, tmp_path / name).model for name in "ab")
    c = rnnkit.train(spec, tiny_data, tmp_path / "c", ["model.seed=7"]).model
    for name, w in a.parameters.items():
        assert np.array_equal(w, b.parameters[name])
    assert not np.array_equal(a.parameters["rnn.0.Wx"], c.parameters["rnn.0.Wx"])


def test_a_few_captions_can_be_learnt_by_heart(spec: Path, tiny_data: Path) -> None:
    model = rnnkit.build(spec, tiny_data, ["train.epochs=1000", "train.schedule=constant"])
    with rnnkit.open_data(tiny_data) as data:
        train = data.split("train")
        trainer = Trainer(model, train)
        rows = np.arange(0, len(train.captions), 9)
        batch = train.captions[rows], train.features.rows(train.image_idxs[rows], model.dtype)
        losses = [trainer.update(*batch) for _ in range(300)]
    assert losses[0] > 20
    assert losses[-1] < 0.5


def test_a_saved_model_is_the_same_model(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    model = rnnkit.build(spec, tiny_data)
    rnnkit.save(model, tmp_path / "m.h5")
    loaded = rnnkit.load(tmp_path / "m.h5")
    assert loaded.spec == model.spec
    assert loaded.vocabulary == model.vocabulary
    for name, w in model.parameters.items():
        assert np.array_equal(w, loaded.parameters[name])
    with rnnkit.open_data(tiny_data) as data:
        assert caption_split(loaded, data, "val", 5) == caption_split(model, data, "val", 5)


def spoiled(file: Path, how: str) -> None:
    if how == "truncated":
        file.write_bytes(file.read_bytes()[:-3000])
    elif how == "not hdf5":
        file.write_text("a model")
    elif how == "missing":
        file.unlink()
    else:
        with h5py.File(file, "r+") as h5:
            if how == "other":
                del h5.attrs["rnnkit"]
            elif how == "newer":
                h5.attrs["rnnkit"] = 99
            elif how == "parameter":
                del h5["parameters/rnn.0.Wh"]
            elif how == "shape":
                del h5["parameters/rnn.0.Wh"]
                h5["parameters/rnn.0.Wh"] = np.zeros((2, 3), np.float32)
            elif how == "spec":
                h5.attrs["spec"] = "[[model.rnn]]\nhidden = 3\ncell = 'nobodys-cell'\n"


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("truncated", "not a whole model file"),
        ("not hdf5", "not a whole model file"),
        ("missing", "no such model file"),
        ("other", "an HDF5 file, but not a model of rnnkit"),
        ("newer", "model format 99"),
        ("parameter", "there is no parameter 'rnn.0.Wh' in it"),
        ("shape", "'rnn.0.Wh' is float32 (2, 3), and its spec makes it float32 (24, 96)"),
        ("spec", "it was made with rnnkit"),
    ],
)
def test_a_damaged_model_file_is_named(
    how: str, text: str, spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "m.h5"
    rnnkit.save(rnnkit.build(spec, tiny_data), file)
    spoiled(file, how)
    with pytest.raises(CheckpointError) as caught:
        load_model(file)
    assert str(file) in str(caught.value)
    assert text in str(caught.value)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    spec: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = rnnkit.build(spec, tiny_data)
    folder = tmp_path / "out"
    rnnkit.save(model, folder / "m.h5")
    before = (folder / "m.h5").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*m\.h5: No space left on device"):
        rnnkit.save(model, folder / "m.h5")
    assert [f.name for f in folder.iterdir()] == ["m.h5"]
    assert (folder / "m.h5").read_bytes() == before


def test_a_run_is_never_overwritten(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    rnnkit.train(spec, tiny_data, tmp_path / "run", ["train.epochs=1"])
    with pytest.raises(CheckpointError, match="holds a run already"):
        rnnkit.train(spec, tiny_data, tmp_path / "run")


def test_runs_without_a_name_get_a_free_one(
    spec: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [rnnkit.train(spec, tiny_data, overrides=["train.epochs=1"]).folder for _ in range(3)]
    assert [str(f) for f in folders] == ["runs/small", "runs/small-2", "runs/small-3"]


def test_an_interrupt_ends_after_the_update_with_the_model_saved(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    def interrupt(step: Step) -> None:
        if step.number == 2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    rows: list[Epoch] = []
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=interrupt, on_epoch=rows.append)
    assert run.interrupted
    assert [row.step for row in rows] == [2]
    assert signal.getsignal(signal.SIGINT) is before
    saved = rnnkit.load(run.folder)
    for name, w in run.model.parameters.items():
        assert np.array_equal(w, saved.parameters[name])


def test_diverging_is_told_and_the_last_good_model_stays(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    wild = ["train.optimizer=sgd", "train.optimizer.learning_rate=1e38"]
    with (
        pytest.raises(DataError, match=r"training has diverged; try a smaller train\.optimizer"),
        np.errstate(all="ignore"),
    ):
        rnnkit.train(spec, tiny_data, tmp_path / "run", wild)


def test_training_without_data_says_what_to_do(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="training wants data: name a folder"):
        rnnkit.train(spec, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_mistake_in_the_spec_makes_no_folder(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        rnnkit.train(spec, tiny_data, tmp_path / "run", ["data.features=3"])
    assert not (tmp_path / "run").exists()


def test_overrides_for_a_spec_in_memory_are_refused_and_not_ignored(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    in_memory = rnnkit.read_spec(spec)
    with pytest.raises(SpecError, match="overrides go over a spec file"):
        rnnkit.train(in_memory, tiny_data, tmp_path / "run", ["train.epochs=1"])
    with pytest.raises(SpecError, match="overrides go over a spec file"):
        rnnkit.build(in_memory, tiny_data, ["model.seed=1"])


def test_captioning_other_data_is_refused(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    model = rnnkit.build(spec, overrides=["data.features=3", "data.vocabulary=9", "data.length=5"])
    with (
        rnnkit.open_data(tiny_data) as data,
        pytest.raises(DataError, match="the model was made for 3"),
    ):
        caption_split(model, data)
