"""Runs that begin from another model: what is taken over, how it is told, and how they go on."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest

import rnnkit
from rnnkit.errors import CheckpointError, DataError, SpecError
from rnnkit.network.checkpoint import read_model_file
from rnnkit.network.transfer import Taken, take_over
from rnnkit.training.starting import take_from
from tests.datafolders import WORDS, write_data_folder
from tests.test_cli import rnnkit as command
from tests.test_training import interrupt_at, same_run

NETWORK = """
[model]
words = { use = "embedding", dim = 10 }
head = ["tanh", { use = "affine", units = 10 }, "affine"]
seed = 3
[[model.rnn]]
hidden = 10
cell = "lstm"
[train]
epochs = 2
batch = 4
"""

OTHERS = (*WORDS[:4], "square", "green", "a", "circle", "below", "red", "an")
"""Another vocabulary: longer, in another order, with 4 of 6 words in common."""


def test_words_are_matched_by_spelling_and_the_rest_by_name_and_shape(tmp_path: Path) -> None:
    spec = rnnkit.parse_spec(NETWORK)
    old = rnnkit.build(spec, write_data_folder(tmp_path / "old"))
    new_spec = rnnkit.parse_spec(NETWORK, overrides=["model.seed=4"])
    new = rnnkit.build(new_spec, write_data_folder(tmp_path / "new", words=OTHERS))
    before = {name: w.copy() for name, w in new.parameters.items()}
    old.parameters["head.2.b"][:] = np.arange(10.0) + 1.0
    rows = {row.name: row for row in take_over(new, old)}
    assert rows.keys() == new.parameters.keys()
    common = [w for w in OTHERS if w in WORDS]
    assert len(common) == 8  # four special ones
    for name, axis in (("words.0.W", 0), ("head.2.W", 1), ("head.2.b", 0)):
        w, a, b = (np.moveaxis(x[name], axis, 0) for x in (new.parameters, old.parameters, before))
        for k, word in enumerate(OTHERS):
            wanted = a[WORDS.index(word)] if word in WORDS else b[k]
            np.testing.assert_array_equal(w[k], wanted, err_msg=f"{name} of {word}")
        assert rows[name].why == "taken of 8 of 11 words"
        assert rows[name].elements == 8 * w.size // 11
    for name in ("image.0.W", "rnn.0.Wx", "rnn.0.Wh", "rnn.0.b", "head.1.W", "head.1.b"):
        np.testing.assert_array_equal(new.parameters[name], old.parameters[name])
        assert rows[name] == Taken(
            name, old.parameters[name].shape, old.parameters[name].size, "taken"
        )


def test_what_has_another_shape_or_name_is_initialized_and_told(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data")
    old = rnnkit.build(rnnkit.parse_spec(NETWORK), folder)
    text = NETWORK.replace("hidden = 10", "hidden = 12").replace('["tanh", ', "[")
    new = rnnkit.build(rnnkit.parse_spec(text), folder)
    before = {name: w.copy() for name, w in new.parameters.items()}
    rows = {row.name: row.why for row in take_over(new, old)}
    assert rows["words.0.W"] == "taken of 10 of 10 words"
    assert rows["rnn.0.Wh"] == "initialized: that of the model is (10, 40)"
    assert rows["head.0.W"] == "initialized: the model has none of this name"
    assert rows["head.1.W"] == "initialized: that of the model is (10, 10)" or (
        rows["head.1.W"] == "taken of 10 of 10 words"
    )
    for name, why in rows.items():
        kept = np.array_equal(before[name], new.parameters[name])
        assert kept or why.startswith("taken"), name


def test_characters_are_not_words(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data")
    old = rnnkit.build(rnnkit.parse_spec(NETWORK), folder)
    spec = rnnkit.parse_spec(NETWORK, overrides=['data.tokens="char"'])
    rows = {row.name: row for row in take_over(rnnkit.build(spec, folder), old)}
    assert rows["words.0.W"].why == "initialized: the model has words, this network characters"
    assert rows["words.0.W"].elements == 0
    assert rows["rnn.0.Wh"].why == "taken"


def test_types_are_cast(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data")
    old = rnnkit.build(rnnkit.parse_spec(NETWORK), folder)
    new = rnnkit.build(rnnkit.parse_spec(NETWORK, overrides=["model.dtype=float64"]), folder)
    take_over(new, old)
    for name, w in new.parameters.items():
        assert w.dtype == np.float64
        np.testing.assert_array_equal(w, old.parameters[name])


def test_a_run_from_a_model_goes_on_without_it(tmp_path: Path) -> None:
    folder, other = (
        write_data_folder(tmp_path / "data"),
        write_data_folder(tmp_path / "other", words=OTHERS),
    )
    spec = rnnkit.parse_spec(NETWORK)
    rnnkit.train(spec, folder, tmp_path / "first")
    wanted = rnnkit.train(spec, other, tmp_path / "whole", start_from=tmp_path / "first")
    told: list[str] = []
    broken = rnnkit.train(
        spec,
        other,
        tmp_path / "run",
        start_from=tmp_path / "first",
        on_step=interrupt_at(2),
        on_warning=told.append,
    )
    assert [row.name for row in broken.taken] == [*broken.model.parameters]
    assert any("does not say which encoder made its image features" in text for text in told)
    with (tmp_path / "run" / "taken.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[2] == {
        "parameter": "words.0.W",
        "shape": "11x10",
        "elements": "80",
        "why": "taken of 8 of 11 words",
    }
    shutil.rmtree(tmp_path / "first")
    run = rnnkit.train(resume=tmp_path / "run")
    same_run(run, wanted)
    assert f'"from_model": "{tmp_path / "first"}"' in read_model_file(run.folder / "last.h5").note
    assert wanted.taken == broken.taken
    assert run.taken == ()


def test_a_run_from_a_model_that_ends_before_an_update_has_all_of_it(tmp_path: Path) -> None:
    folder, spec = write_data_folder(tmp_path / "data"), rnnkit.parse_spec(NETWORK)
    old = rnnkit.build(rnnkit.parse_spec(NETWORK, overrides=["model.seed=9"]), folder)

    class Ended(Exception):
        pass

    def end(*_: object) -> None:
        raise Ended

    with pytest.raises(Ended):
        rnnkit.train(spec, folder, tmp_path / "run", start_from=old, on_start=end)
    begun = rnnkit.load(tmp_path / "run")
    for name, w in old.parameters.items():
        np.testing.assert_array_equal(begun.parameters[name], w)
    wanted = rnnkit.train(spec, folder, tmp_path / "whole", start_from=old)
    same_run(rnnkit.train(resume=tmp_path / "run"), wanted)


def test_what_cannot_be_begun_from_is_told(tmp_path: Path) -> None:
    folder, spec = write_data_folder(tmp_path / "data"), rnnkit.parse_spec(NETWORK)
    with pytest.raises(CheckpointError, match="no such model file"):
        rnnkit.train(spec, folder, tmp_path / "run", start_from=tmp_path / "nowhere.h5")
    run = rnnkit.train(spec, folder, tmp_path / "run")
    with pytest.raises(SpecError, match="start_from is for a spec"):
        rnnkit.train(resume=run.folder, start_from=run.folder)


def test_features_of_another_encoder_are_refused(
    tiny_data: Path, tmp_path: Path, spec: Path
) -> None:
    with rnnkit.open_data(tiny_data) as data:
        old, new = rnnkit.build(spec, data), rnnkit.build(spec, data)
        assert data.pipeline is not None
        identity = attrs.evolve(data.pipeline.identity, digest="0" * 64)
        strange = attrs.evolve(old, pipeline=attrs.evolve(data.pipeline, identity=identity))
        with pytest.raises(DataError, match="has other features than those that the model was"):
            take_from(new, strange, data, print)
        told: list[str] = []
        assert take_from(new, attrs.evolve(old, pipeline=data.pipeline), data, told.append)
        assert told == []


def test_the_command_shows_what_is_taken_over(tmp_path: Path) -> None:
    old, new = (
        write_data_folder(tmp_path / "old"),
        write_data_folder(tmp_path / "new", words=OTHERS),
    )
    model = rnnkit.build(rnnkit.parse_spec(NETWORK), old)
    rnnkit.save(model, tmp_path / "old.h5")
    spec = tmp_path / "spec.toml"
    spec.write_text(NETWORK)
    out = ("--data", new, "--out", tmp_path / "run", "--set", "train.epochs=1")
    ran = command("train", spec, "--from", tmp_path / "old.h5", *out)
    assert ran.returncode == 0, ran.stderr
    assert "words.0.W  (11, 10)  taken of 8 of 11 words\n" in ran.stdout
    assert "image.0.W  (6, 10)   taken\n" in ran.stdout
    size = sum(w.size for w in rnnkit.load(tmp_path / "run").parameters.values())
    left = 3 * (10 + 10 + 1)  # rows, columns and biases of the words that the model does not know
    assert f"{size - left:,} of {size:,} parameters are taken over" in ran.stdout
    ran = command("train", "--resume", tmp_path / "run", "--from", tmp_path / "old.h5")
    assert ran.returncode == 2
    assert "--from MODEL is for a SPEC" in ran.stderr
