"""A model knows the data it was trained on, wherever it meets it again; and what a run can go on from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import h5py
import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.ensemble import load_writer
from rnnkit.captioning.own_data import data_of, opened_for
from rnnkit.data.features import open_features
from rnnkit.data.seen import Seen, features_digest, own_folder
from rnnkit.describing.report import write_report
from rnnkit.errors import CheckpointError, DataError, SpecError
from rnnkit.network.checkpoint import load_model, read_model_file
from rnnkit.system.files import sole_owner
from rnnkit.training import Step
from tests.specs import BRIEF

SPEC = BRIEF


def stop_at(number: int) -> Callable[[Step], None]:
    def on_step(step: Step) -> None:
        if step.number == number:
            raise KeyboardInterrupt

    return on_step


def swap_words(folder: Path) -> tuple[int, str, str]:
    """Exchange two words, whose number stays; the first token that differs, with the word now and before."""
    file = folder / "vocab.json"
    words: list[str] = json.loads(file.read_text())["idx_to_word"]
    a, b = [t for t, word in enumerate(words) if not word.startswith("<")][2:4]
    words[a], words[b] = words[b], words[a]
    file.write_text(json.dumps({"idx_to_word": words}))
    return a, words[a], words[b]


def change_features(folder: Path, split: str, row: int = 0) -> None:
    with h5py.File(folder / f"features_{split}.h5", "r+") as h5:
        values = h5["features"][row]
        h5["features"][row] = values + 1


@pytest.fixture
def data(tiny_data: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_data, tmp_path / "data")


@pytest.fixture
def run(spec: Path, data: Path, tmp_path: Path) -> Path:
    return rnnkit.train(spec, data, tmp_path / "run", ["train.epochs=1"]).folder


MORE = ["train.epochs=2"]


def test_a_run_does_not_go_on_with_other_words(run: Path, data: Path, tmp_path: Path) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    token, now, before = swap_words(other)
    with pytest.raises(DataError, match=f"token {token} is {now!r}, not {before!r}"):
        rnnkit.train(resume=run, data=other, overrides=MORE)
    with rnnkit.open_data(other) as dataset, pytest.raises(DataError, match=f"token {token} is"):
        rnnkit.evaluate(load_model(run), dataset, metrics=())


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_run_does_not_go_on_with_other_features(
    split: str, run: Path, data: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    change_features(other, split, row=-1)
    with pytest.raises(CheckpointError, match=f"the features of {split} in .*other are not those"):
        rnnkit.train(resume=run, data=other, overrides=MORE)


def test_a_run_does_not_go_on_with_other_captions_for_validation(run: Path, data: Path) -> None:
    with h5py.File(data / "captions.h5", "r+") as h5:
        h5["val_captions"][0] = h5["val_captions"][1]
        h5["val_captions"][1] = h5["val_captions"][9]
    with pytest.raises(CheckpointError, match="the captions of val in"):
        rnnkit.train(resume=run, overrides=MORE)


def test_a_digest_is_of_the_values_however_they_are_kept(tmp_path: Path) -> None:
    values = np.random.default_rng(1).standard_normal((40, 6)).astype(np.float16)

    def digest(values: np.ndarray[tuple[int, ...], np.dtype[np.float16]], *cuts: int) -> str:
        files = []
        for k, part in enumerate(np.split(values, cuts)):
            files.append(tmp_path / f"part{k}.h5")
            with h5py.File(files[-1], "w") as h5:
                h5.create_dataset("features", data=part, compression="gzip" if cuts else None)
        features = open_features(*files)
        found = features_digest(features)
        features.close()
        return found

    whole = digest(values)
    assert digest(values, 7, 20) == whole
    changed = {row: values.copy() for row in (0, 1, 39)}
    for row, other in changed.items():
        other[row] += 1
    assert digest(changed[0]) != whole
    assert digest(changed[39]) != whole
    assert digest(changed[1]) == whole  # rows 0, 2, 5, .. are looked at: this is what it can miss
    assert digest(values[::-1]) != whole


def test_features_on_disk_have_the_digest_of_those_in_memory(
    tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rnnkit.open_data(tiny_data) as held:
        wanted = Seen.of(held, tiny_data)
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 0)
    with rnnkit.open_data(tiny_data) as read:
        assert not read.split("train").features.held
        assert Seen.of(read, tiny_data) == wanted


def test_a_models_own_folder_must_not_have_changed(run: Path, data: Path) -> None:
    writer, told = load_writer([run]), list[str]()
    with opened_for(writer, None, told.append) as dataset:
        assert dataset.folder == data
    change_features(data, "val")
    text = f"the features of val in {data} are not those that the model was trained on"
    with (
        pytest.raises(DataError, match=f"{text}; give the data .* with --data"),
        opened_for(writer, None, told.append),
    ):
        pass
    assert told == []
    with opened_for(writer, data, told.append):
        assert told == [text]
    assert text in write_report(run).read_text()


def test_an_ensemble_checks_the_data_for_each_of_its_models(
    spec: Path, run: Path, data: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    change_features(other, "train")
    second = rnnkit.train(spec, other, tmp_path / "second", ["train.epochs=1"]).folder
    writer = load_writer([run, second])
    with (
        pytest.raises(DataError, match="the features of train in"),
        opened_for(writer, None, print),
    ):
        pass
    with opened_for(writer, data, pytest.fail):
        pass


def test_other_images_are_no_reason_to_refuse_a_folder_that_is_named(
    run: Path, data: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    change_features(other, "val")
    with opened_for(load_writer([run]), other, pytest.fail) as dataset:
        assert dataset.folder == other


def test_a_run_finds_its_data_from_another_folder_and_takes_no_other(
    spec: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = rnnkit.train(spec, "data", "run", ["train.epochs=1"])
    kept = read_model_file(tmp_path / "run" / "last.h5")
    assert kept.seen is not None
    assert kept.seen.folder == str(data)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(data, elsewhere / "data")
    change_features(elsewhere / "data", "train")
    monkeypatch.chdir(elsewhere)
    writer = load_writer([tmp_path / "run"])
    assert data_of(writer, None) == str(data)
    more = rnnkit.train(resume=tmp_path / "run", overrides=MORE)
    assert more.finished
    assert more.model.spec.data.path == run.model.spec.data.path == "data"
    data.rename(tmp_path / "moved")
    with pytest.raises(CheckpointError, match="the features of train in data are not those"):
        rnnkit.train(resume=tmp_path / "run", overrides=["train.epochs=3"])
    with (
        pytest.raises(DataError, match="the features of train in data"),
        opened_for(writer, None, print),
    ):
        pass
    assert own_folder("data", kept.seen) == "data"


def test_model_files_that_do_not_say_what_they_have_seen_can_be_read(
    run: Path, data: Path, tmp_path: Path
) -> None:
    model = attrs.evolve(load_model(run), seen=None)
    rnnkit.save(model, tmp_path / "old.h5")
    assert load_model(tmp_path / "old.h5").seen is None
    assert load_model(run).seen is not None
    change_features(data, "val")
    with opened_for(load_model(tmp_path / "old.h5"), None, pytest.fail) as dataset:
        assert dataset.folder == data


def test_a_finished_run_is_left_as_it_is(run: Path) -> None:
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    assert rnnkit.train(resume=run, on_step=stop_at(1)).finished
    assert {file.name: file.read_bytes() for file in run.iterdir()} == before


def test_edits_of_a_runs_spec_are_taken_and_told(run: Path) -> None:
    file, told = run / "spec.toml", list[str]()
    rnnkit.train(resume=run, on_edit=told.append)
    assert told == []
    file.write_text(file.read_text().replace("epochs = 1", "epochs = 2  # one more"))
    more = rnnkit.train(resume=run, on_edit=told.append)
    assert told == [
        f"{file} is not what the last checkpoint has; the run goes on with train.epochs = 2 (not 1)"
    ]
    assert more.history.records[-1].epoch == 2
    file.write_text(file.read_text().replace("epochs", "epoks"))
    with pytest.raises(SpecError, match=r"spec\.toml:\d+: train\.epoks"):
        rnnkit.train(resume=run)
    file.unlink()
    assert rnnkit.train(resume=run).finished


@pytest.mark.parametrize("way", ["train", "resume"])
def test_a_run_that_was_ended_before_its_first_checkpoint_is_taken_over(
    way: str, spec: Path, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        rnnkit.train(spec, data, folder, on_step=stop_at(1))
    assert [file.name for file in folder.iterdir()] == ["spec.toml"]
    run = rnnkit.train(spec, data, folder) if way == "train" else rnnkit.train(resume=folder)
    assert run.finished
    wanted = rnnkit.train(spec, data, tmp_path / "wanted")
    for name, w in run.model.parameters.items():
        np.testing.assert_array_equal(w, wanted.model.parameters[name], err_msg=name)


def test_a_spec_of_the_users_is_not_taken_for_a_run(spec: Path, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(spec, folder / "spec.toml")
    with pytest.raises(CheckpointError, match=r"has a spec\.toml that no run has written"):
        rnnkit.train(spec, data, folder)
    assert (folder / "spec.toml").read_text() == spec.read_text()


def test_a_folder_in_which_a_run_is_under_way_is_left_alone(
    spec: Path, data: Path, run: Path, tmp_path: Path
) -> None:
    with (
        sole_owner(run),
        pytest.raises(CheckpointError, match="is in use: "),
    ):
        rnnkit.train(resume=run, overrides=MORE)
    empty = tmp_path / "empty"
    empty.mkdir()
    with (
        sole_owner(empty),
        pytest.raises(CheckpointError, match="is in use: "),
    ):
        rnnkit.train(spec, data, empty)
    assert rnnkit.train(resume=run, overrides=MORE).finished
