"""Training, model files and runs."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import h5py
import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.evaluation import nats_per_token
from rnnkit.captioning.images import caption_split
from rnnkit.errors import CheckpointError, DataError, RnnkitError, SpecError
from rnnkit.network.checkpoint import load_model, read_model_file, save_model
from rnnkit.network.model import Captioner
from rnnkit.training import History, Record, Run, Step, Trainer, read_history, saving
from tests import many_kills


def test_a_run_has_its_model_history_and_spec(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    seen: list[Step] = []
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=seen.append)
    assert sorted(f.name for f in run.folder.iterdir()) == [
        "best.h5",
        "history.csv",
        "last.h5",
        "previous.h5",
        "spec.toml",
        "updates.csv",
    ]
    assert [s.number for s in seen] == list(range(1, seen[-1].steps + 1))
    with (run.folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["learning_rate_factor"]) for row in rows] == [1.0, 0.5, 0.25]
    first, *_, last = run.history.records
    assert float(rows[-1]["val_nats"]) == last.val_nats
    assert last.train_nats < first.train_nats
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
        assert nats_per_token(model, val) == pytest.approx(nats / tokens, rel=1e-6)


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
        losses = [trainer.update(*batch).loss for _ in range(300)]
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
    whole = file.read_bytes()
    if how == "truncated":
        file.write_bytes(whole[:-3000])
    elif how == "a bit":
        at = len(whole) // 2
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "not hdf5":
        file.write_text("a model")
    elif how == "missing":
        file.unlink()
    elif how == "other":
        with h5py.File(file, "w") as h5:
            h5["x"] = 1


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("truncated", "damaged: its contents do not match its digest"),
        ("a bit", "damaged: its contents do not match its digest"),
        ("empty", "is empty; write or download it again"),
        ("not hdf5", "not a model of rnnkit"),
        ("missing", "no such model file"),
        ("other", "is not a model of rnnkit: it is an HDF5 file"),
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


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("newer", "model format 99"),
        ("parameter", "the parameter 'rnn.0.Wh' is missing"),
        ("shape", "'rnn.0.Wh' is float32 (2, 3), but its spec makes it float32 (24, 96)"),
        ("spec", "it was made with rnnkit"),
        ("words", "not a complete model file"),
        ("name", r"has the name b'rnn.0.\xff', which is no text"),
    ],
)
def test_a_whole_model_file_that_does_not_fit_is_told(
    how: str, text: str, spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "m.h5"
    rnnkit.save(rnnkit.build(spec, tiny_data), file)
    with h5py.File(file, "r+") as h5:
        if how == "newer":
            del h5["rnnkit"]
            h5["rnnkit"] = "99"
        elif how == "parameter":
            del h5["parameters/rnn.0.Wh"]
        elif how == "shape":
            del h5["parameters/rnn.0.Wh"]
            h5["parameters/rnn.0.Wh"] = np.zeros((2, 3), np.float32)
        elif how == "spec":
            del h5["spec"]
            h5["spec"] = "[[model.rnn]]\nhidden = 3\ncell = 'nobodys-cell'\n"
        elif how == "words":
            del h5["words"]
        elif how == "name":
            h5["parameters"][b"rnn.0.\xff"] = np.zeros(3)
    sealed(file)
    with pytest.raises(CheckpointError) as caught:
        load_model(file)
    assert str(file) in str(caught.value)
    assert text in str(caught.value)


def sealed(file: Path) -> None:
    """Write the digest anew, as whoever made the file would have."""
    whole = file.read_bytes()
    mark = whole[: whole.index(b": ") + 2]
    digest = hashlib.blake2b(whole[512:]).hexdigest().encode()
    file.write_bytes((mark + digest).ljust(512, b"\0") + whole[512:])


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
    with pytest.raises(CheckpointError, match="has a run already"):
        rnnkit.train(spec, tiny_data, tmp_path / "run")


def test_runs_without_a_name_get_a_free_one(
    spec: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [rnnkit.train(spec, tiny_data, overrides=["train.epochs=1"]).folder for _ in range(3)]
    assert [str(f) for f in folders] == ["runs/small", "runs/small-2", "runs/small-3"]


def test_an_interrupt_ends_after_the_update_with_everything_saved(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGINT)
    rows: list[Record] = []
    run = rnnkit.train(
        spec, tiny_data, tmp_path / "run", on_step=interrupt_at(2), on_record=rows.append
    )
    assert not run.finished
    assert not rows
    assert signal.getsignal(signal.SIGINT) is before
    saved = rnnkit.load(run.folder)
    for name, w in run.model.parameters.items():
        assert np.array_equal(w, saved.parameters[name])


def interrupt_at(number: int) -> Callable[[Step], None]:
    """What to do after each update: press Ctrl-C after this one."""

    def on_step(step: Step) -> None:
        if step.number == number:
            os.kill(os.getpid(), signal.SIGINT)

    return on_step


DRAWN = (
    'words = { use = "embedding", dim = 16 }',
    'words = [{ use = "embedding", dim = 16 }, { use = "dropout", rate = 0.3 }]',
)


@pytest.mark.parametrize("at", [1, 4, 8, 9, 23, 24])
def test_a_run_goes_on_bit_for_bit(at: int, spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    spec.write_text(spec.read_text().replace(*DRAWN))
    wanted = rnnkit.train(spec, tiny_data, tmp_path / "whole", ["train.evaluate=4"])
    assert wanted.history.records[-1].step == 24
    broken = rnnkit.train(
        spec, tiny_data, tmp_path / "run", ["train.evaluate=4"], on_step=interrupt_at(at)
    )
    assert not broken.finished
    run = rnnkit.train(resume=tmp_path / "run")
    assert run.finished
    same_run(run, wanted)


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.heavy)])
def test_a_run_survives_being_killed(kills: int, tmp_path: Path) -> None:
    many_kills.survives(tmp_path, kills, seed=5)


def same_run(run: rnnkit.training.Run, wanted: rnnkit.training.Run) -> None:
    """Parameters, slots, best model and history, but for what a clock says."""
    for name in ("last.h5", "best.h5"):
        kept = [read_model_file(r.folder / name) for r in (run, wanted)]
        for arrays in ("parameters", "extra"):
            a, b = (getattr(k, arrays) for k in kept)
            assert a.keys() == b.keys()
            for key in a:
                assert np.array_equal(a[key], b[key]), key
    a, b = (without_clock(r.history) for r in (run, wanted))
    assert a == b
    assert without_clock(read_history(run.folder)) == a


def without_clock(history: History) -> History:
    return History(
        tuple(attrs.evolve(r, seconds=0.0, tokens_per_second=0.0) for r in history.records),
        tuple(attrs.evolve(u, seconds=0.0) for u in history.updates),
    )


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    wanted = rnnkit.train(spec, tiny_data, tmp_path / "whole")
    rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=interrupt_at(12))
    spoiled(tmp_path / "run" / "last.h5", "a bit")
    told: list[str] = []
    run = rnnkit.train(resume=tmp_path / "run", on_damage=told.append)
    assert told == [
        f"{tmp_path / 'run' / 'last.h5'}: damaged: its contents do not match its digest; write or copy "
        f"it again\nresuming from {tmp_path / 'run' / 'previous.h5'}"
    ]
    same_run(run, wanted)
    spoiled(tmp_path / "run" / "last.h5", "a bit")
    spoiled(tmp_path / "run" / "previous.h5", "a bit")
    with pytest.raises(CheckpointError, match=r"previous\.h5: damaged"):
        rnnkit.train(resume=tmp_path / "run")


def test_a_finished_run_is_left_as_it_is_unless_it_gets_more_epochs(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    steady = ["train.schedule=constant"]
    wanted = rnnkit.train(spec, tiny_data, tmp_path / "whole", [*steady, "train.epochs=5"])
    first = rnnkit.train(spec, tiny_data, tmp_path / "run", steady)
    again = rnnkit.train(resume=tmp_path / "run")
    assert again.finished
    assert again.history == first.history
    same_run(rnnkit.train(resume=tmp_path / "run", overrides=["train.epochs=5"]), wanted)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("train.batch=8", "began with train.batch = 16"),
        (
            "train.optimizer=sgd",
            "the optimizer's slots of image.0.W are not those of the run",
        ),
        (
            "model.rnn[0].hidden=9",
            "model.image: the chain ends in width 24, but must end in 9 here",
        ),
    ],
)
def test_a_run_goes_on_only_as_what_it_was(
    override: str, text: str, spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=interrupt_at(2))
    with pytest.raises(RnnkitError, match=text):
        rnnkit.train(resume=tmp_path / "run", overrides=[override])


def test_a_run_goes_on_only_with_its_own_captions(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=interrupt_at(2))
    other = shutil.copytree(tiny_data, tmp_path / "other")
    with h5py.File(other / "captions.h5", "r+") as h5:
        h5["train_captions"][0] = h5["train_captions"][1]
        h5["train_captions"][1] = h5["train_captions"][5]
    with pytest.raises(CheckpointError, match="not those that the run began with"):
        rnnkit.train(resume=tmp_path / "run", data=other)


def test_a_run_goes_on_with_as_many_images_shuffled_together(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    def trained(out: str, *overrides: str) -> Run:
        return rnnkit.train(spec, tiny_data, tmp_path / out, ["train.epochs=2", *overrides])

    windows = ["train.shuffle=8"]
    half = trained("half", "train.epochs=1", *windows)
    with pytest.raises(CheckpointError, match=r"captions of 8 images .* with train.shuffle = 9"):
        rnnkit.train(resume=half.folder, overrides=["train.shuffle=9"])
    whole, other = trained("whole", *windows), trained("other")
    more = rnnkit.train(resume=half.folder, overrides=["train.epochs=2"])
    for name, w in more.model.parameters.items():
        np.testing.assert_array_equal(w, whole.model.parameters[name], err_msg=name)
    assert not np.array_equal(
        other.model.parameters["rnn.0.Wh"], whole.model.parameters["rnn.0.Wh"]
    )


def test_features_in_files_are_trained_on_as_those_in_memory(
    spec: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = ["train.epochs=2", "train.shuffle=8"]
    held = rnnkit.train(spec, tiny_data, tmp_path / "held", windows)
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 0)
    with rnnkit.open_data(tiny_data) as data:
        assert not data.split("train").features.held
        read = rnnkit.train(rnnkit.read_spec(spec, windows), data, tmp_path / "read")
    for name, w in read.model.parameters.items():
        np.testing.assert_array_equal(w, held.model.parameters[name], err_msg=name)


def test_there_must_be_something_to_go_on_with(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not the folder of a run"):
        rnnkit.train(resume=tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="has no checkpoint to resume from"):
        rnnkit.train(resume=tmp_path)
    rnnkit.save(rnnkit.build(spec, tiny_data), tmp_path / "last.h5")
    with pytest.raises(CheckpointError, match="a model file without training state"):
        rnnkit.train(resume=tmp_path, data=tiny_data)


def test_the_best_model_is_the_one_of_the_least_nats(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    wild = ["train.optimizer.learning_rate=0.3", "train.schedule=constant", "train.epochs=50"]
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", [*wild, "train.patience=2"])
    values = [r.val_metric for r in run.history.records if r.val_metric is not None]
    assert values == [r.val_nats for r in run.history.records]
    assert [r.best for r in run.history.records] == [
        all(v < w for w in values[:i]) for i, v in enumerate(values)
    ]
    assert not run.history.records[-1].best
    with rnnkit.open_data(tiny_data) as data:
        best = nats_per_token(rnnkit.load(run.folder), data.split("val"))
    assert best == min(values)


def test_training_ends_when_patience_is_at_its_end(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    wild = ["train.optimizer.learning_rate=0.3", "train.schedule=constant", "train.epochs=50"]
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", [*wild, "train.patience=2"])
    assert run.finished
    assert len(run.history.records) < 50
    assert [r.best for r in run.history.records][-3:] == [True, False, False]
    assert rnnkit.train(resume=run.folder).history == run.history


def test_a_clipped_gradient_has_the_norm_it_may_have(spec: Path, tiny_data: Path) -> None:
    def moved(*overrides: str) -> tuple[dict[str, np.ndarray], Step]:
        """What one update of plain gradient descent takes off, and the update."""
        sgd = ["train.optimizer=sgd", "train.optimizer.learning_rate=1.0", "model.dtype=float64"]
        model = rnnkit.build(spec, tiny_data, [*sgd, *overrides])
        before = {name: w.copy() for name, w in model.parameters.items()}
        with rnnkit.open_data(tiny_data) as data:
            train = data.split("train")
            features = train.features.rows(train.image_idxs[:9], model.dtype)
            step = Trainer(model, train).update(train.captions[:9], features)
        return {name: before[name] - w for name, w in model.parameters.items()}, step

    def norm(arrays: dict[str, np.ndarray]) -> float:
        return float(np.sqrt(sum((a**2).sum() for a in arrays.values())))

    free, _ = moved()
    clipped, step = moved("train.clip=0.5")
    assert step.gradient_norm == pytest.approx(norm(free))
    assert norm(free) > 1
    assert norm(clipped) == pytest.approx(0.5)
    for name, a in clipped.items():
        np.testing.assert_allclose(a, free[name] * (0.5 / norm(free)), atol=1e-12)
    loose, _ = moved("train.clip=1000")
    for name, a in loose.items():
        assert np.array_equal(a, free[name])


def test_rows_of_updates_are_means_over_ten(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    steps: list[Step] = []
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", ["train.clip=9"], on_step=steps.append)
    assert [u.step for u in run.history.updates] == [10, 20]
    first = steps[:10]
    captions = sum(s.captions for s in first)
    total = sum(s.loss * s.captions for s in first)
    row = run.history.updates[0]
    assert row.tokens == sum(s.tokens for s in first)
    assert row.loss == pytest.approx(total / captions)
    assert row.nats == pytest.approx(total / row.tokens)
    norms = [s.gradient_norm for s in first if s.gradient_norm is not None]
    assert len(norms) == 10
    assert row.gradient_norm == pytest.approx(np.mean(norms))


def test_a_full_disk_is_told_in_a_sentence_and_leaves_the_last_good_files(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    """A limit on the size of files stands for the disk: the checkpoint is the first to meet it."""
    rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=interrupt_at(9))
    before = {f.name: f.read_bytes() for f in (tmp_path / "run").iterdir()}
    size = (len(before["best.h5"]) + len(before["last.h5"])) // 2
    program = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        "from rnnkit.cli import main\n"
        f"sys.argv = ['rnnkit', 'train', '--resume', {str(tmp_path / 'run')!r}]\n"
        "main()\n"
    )
    ran = subprocess.run(  # -B, else modules that Python compiles are cut off, too
        [sys.executable, "-B", "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"cannot write {tmp_path / 'run'}")
    after = {f.name: f.read_bytes() for f in (tmp_path / "run").iterdir()}
    for name in ("last.h5", "previous.h5"):
        assert after[name] == before[name]
    assert not [name for name in after if name.endswith(".tmp")]
    wanted = rnnkit.train(spec, tiny_data, tmp_path / "whole")
    same_run(rnnkit.train(resume=tmp_path / "run"), wanted)


def test_diverging_is_told_and_the_run_goes_on_from_the_last_good_state(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    first = rnnkit.train(spec, tiny_data, run, ["train.epochs=1", "train.optimizer=sgd"])
    good = (run / "last.h5").read_bytes()
    wild = ["train.epochs=2", "train.optimizer.learning_rate=1e38"]
    with pytest.raises(DataError, match="training has diverged") as caught:
        rnnkit.train(resume=run, overrides=wild)
    assert (
        f"or train.clip: rnnkit train --resume {run} --set train.optimizer.learning_rate=1e+37  "
        f"goes on after update {first.history.records[-1].step}"
    ) in str(caught.value)
    assert (run / "last.h5").read_bytes() == good
    again = ["train.epochs=2", "train.optimizer.learning_rate=1e-3"]
    assert rnnkit.train(resume=run, overrides=again).finished
    straight = rnnkit.train(
        spec, tiny_data, tmp_path / "a", ["train.epochs=1", "train.optimizer=sgd"]
    )
    same_run(rnnkit.train(resume=straight.folder, overrides=again), rnnkit.train(resume=run))


def test_what_is_not_finite_is_never_saved(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    def spoil(step: Step) -> None:
        if (
            step.number == trainers[0].epoch_steps
        ):  # the loss of the epoch is finite, what it leads to is not
            next(iter(trainers[0].model.parameters.values()))[...] = np.inf

    trainers: list[Trainer] = []
    with pytest.raises(
        DataError, match=r" are not finite after update \d+: training has diverged; "
    ):
        rnnkit.train(
            spec,
            tiny_data,
            tmp_path / "run",
            on_start=lambda trainer, _: trainers.append(trainer),
            on_step=spoil,
        )
    assert [f.name for f in (tmp_path / "run").iterdir()] == ["spec.toml"]


def test_the_checkpoint_that_a_run_goes_on_from_stays_until_there_is_another_whole_one(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=interrupt_at(12))
    previous = (tmp_path / "run" / "previous.h5").read_bytes()
    spoiled(tmp_path / "run" / "last.h5", "a bit")
    rnnkit.train(resume=tmp_path / "run", on_step=interrupt_at(9), on_damage=lambda _: None)
    assert (tmp_path / "run" / "previous.h5").read_bytes() == previous
    assert read_model_file(tmp_path / "run" / "last.h5").note


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ([], r"its note is \[\], and must be a table"),
        ({"history": {"records": 3}}, "its records is 3, and must be a list"),
        ({"history": {"records": [[]]}}, r"its records is \[\], and must be a table"),
        ({"since_record": "x"}, "its since_record is 'x', and must be a table"),
        ({"before_reward": {"value": 1.0}}, "its before_reward has no 'words'"),
        ({"begun at": 3}, "its note has 'begun at', which is no part of it"),
    ],
)
def test_a_place_that_is_none_is_told_by_its_part(
    changed: Any, told: str, spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=interrupt_at(2))
    kept = read_model_file(run.folder / "last.h5")
    note = changed if isinstance(changed, list) else json.loads(kept.note) | changed
    save_model(run.model, run.folder / "last.h5", json.dumps(note), kept.extra)
    with pytest.raises(CheckpointError, match=rf"last.h5: not a checkpoint .* \({told}"):
        rnnkit.train(resume=run.folder)


@pytest.mark.parametrize("way", ["train", "resume"])
@pytest.mark.parametrize("at", ["best.h5", "last.h5"])
def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    at: str, way: str, spec: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(model: Captioner, file: Path, *args: Any, **options: Any) -> None:
        if file.name == at:
            raise Killed
        save_model(model, file, *args, **options)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(saving, "save_model", killed)
        with pytest.raises(Killed):
            rnnkit.train(spec, tiny_data, run)
    there = {f.name for f in run.iterdir()}
    assert there == ({"spec.toml", "best.h5"} if at == "last.h5" else {"spec.toml"})
    again = rnnkit.train(spec, tiny_data, run) if way == "train" else rnnkit.train(resume=run)
    same_run(again, rnnkit.train(spec, tiny_data, tmp_path / "whole"))


def test_the_best_model_of_a_run_without_checkpoints_is_not_replaced(
    small_run: Path, spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("best.h5", "history.csv", "spec.toml"):
        shutil.copy(small_run / name, run / name)
    with pytest.raises(CheckpointError, match="has a run already"):
        rnnkit.train(spec, tiny_data, run)
    with pytest.raises(CheckpointError, match="no checkpoint to resume from"):
        rnnkit.train(resume=run)
    (run / "spec.toml").unlink()
    with pytest.raises(CheckpointError, match="has a run already"):
        rnnkit.train(spec, tiny_data, run)


def test_a_run_that_goes_on_with_another_metric_forgets_what_was_best_by_the_old_one(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    one = ["train.epochs=1", "train.metric=rouge_l"]
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", one)
    again = ["train.epochs=4", "train.metric=nats"]
    more = rnnkit.train(resume=run.folder, overrides=again).history.records[1:]
    assert more[0].best
    assert more[0].val_metric == more[0].val_nats


def test_training_without_data_says_what_to_do(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="training needs data: name a folder"):
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
    with pytest.raises(SpecError, match="overrides need a spec file"):
        rnnkit.train(in_memory, tiny_data, tmp_path / "run", ["train.epochs=1"])
    with pytest.raises(SpecError, match="overrides need a spec file"):
        rnnkit.build(in_memory, tiny_data, ["model.seed=1"])


def test_captioning_other_data_is_refused(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    model = rnnkit.build(spec, overrides=["data.features=3", "data.vocabulary=9", "data.length=5"])
    with (
        rnnkit.open_data(tiny_data) as data,
        pytest.raises(DataError, match="but the model takes 3"),
    ):
        caption_split(model, data)
