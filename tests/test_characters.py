"""Captions in characters: the same texts as in words, through data, training, model files and the table of build."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.images import caption_split
from rnnkit.data import Dataset, Vocabulary, as_characters, characters_of
from rnnkit.data.preparing.prepare import prepare
from rnnkit.errors import DataError
from rnnkit.network.builder import assemble
from rnnkit.network.sizes import Sizes
from rnnkit.training import Trainer
from tests.datafolders import WORDS, put, write_data_folder
from tests.specs import LSTM

SPEC = f"""
[data]
tokens = "char"\
{LSTM}\
[train]
epochs = 2
batch = 16
"""


def assert_same_texts(words: Dataset, characters: Dataset) -> None:
    for name, split in words.splits.items():
        spelled = characters.split(name)
        assert spelled.captions.dtype == np.int32
        assert not spelled.captions.flags.writeable
        assert np.array_equal(spelled.image_idxs, split.image_idxs)
        for row, text_row in zip(spelled.captions, split.captions, strict=True):
            text = words.vocabulary.decode(text_row)
            assert characters.vocabulary.decode(row) == text
            again = characters.vocabulary.encode(text, characters.length)
            assert np.array_equal(again, row)


def test_captions_are_spelled_as_by_hand(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data", splits=["train"], captions_each=1)
    captions = [
        [1, 4, 5, 6, 2, 0, 0, 0],  # a red circle
        [1, 3, 4, 3, 2, 0, 0, 0],  # <UNK> a <UNK>
        [1, 2, 0, 0, 0, 0, 0, 0],  # nothing
        [1, 9, 2, 0, 0, 0, 0, 0],  # square
    ]
    put(folder / "captions.h5", "train_captions", np.array(captions))
    with rnnkit.open_data(folder) as data:
        spelled = as_characters(data)
    # The characters of a, red, circle, above, blue and square.
    letters = sorted(set(" aredcircleabovebluesquare"))
    vocabulary = spelled.vocabulary
    assert vocabulary.words == ("<NULL>", "<START>", "<END>", "<UNK>", *letters)
    token = {letter: 4 + i for i, letter in enumerate(letters)}
    start, end, unknown, blank = 1, 2, 3, token[" "]
    assert spelled.length == len("a red circle") + 2
    expected = [
        [start, *(token[c] for c in "a red circle"), end],
        [start, unknown, blank, token["a"], blank, unknown, end],
        [start, end],
        [start, *(token[c] for c in "square"), end],
    ]
    for row, tokens in zip(spelled.split("train").captions.tolist(), expected, strict=True):
        assert row == tokens + [0] * (spelled.length - len(tokens))


@pytest.mark.parametrize("words", [WORDS, [w for w in WORDS if w != "<UNK>"]])
def test_random_captions_say_the_same(tmp_path: Path, words: list[str]) -> None:
    folder = write_data_folder(tmp_path / "data", words=words, images=20)
    with rnnkit.open_data(folder) as data:
        spelled = as_characters(data)
        assert ("<UNK>" in spelled.vocabulary.words) == ("<UNK>" in words)
        assert_same_texts(data, spelled)
        assert as_characters(spelled) is spelled


def test_special_words_may_stand_anywhere(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data", splits=["train"], captions_each=1)
    words = ["a", "<END>", "b c", "<UNK>", "<NULL>", "<START>"]
    (folder / "vocab.json").write_text(json.dumps({"idx_to_word": words}))
    put(folder / "captions.h5", "train_captions", np.array([[5, 0, 3, 2, 1, 4]] * 4))
    with rnnkit.open_data(folder) as data:
        spelled = as_characters(data)
        assert_same_texts(data, spelled)
    assert spelled.vocabulary.words[:4] == ("<NULL>", "<START>", "<END>", "<UNK>")
    assert spelled.vocabulary.decode(spelled.split("train").captions[0]) == "a <UNK> b c"


def test_scenes_say_the_same(tiny_data: Path) -> None:
    texts = [
        annotation["caption"]
        for split in ("train", "val")
        for annotation in json.loads((tiny_data / f"captions_{split}.json").read_text())[
            "annotations"
        ]
    ]
    with rnnkit.open_data(tiny_data) as data:
        spelled = as_characters(data)
        assert_same_texts(data, spelled)
    assert spelled.length == max(map(len, texts)) + 2
    assert {*"".join(texts)} <= {*spelled.vocabulary.words}


def test_real_captions_say_the_same(real_data: Path) -> None:
    if not (real_data / "flickr8k").is_dir():
        pytest.skip("Flickr8k is not there")
    with rnnkit.open_data(real_data / "flickr8k") as data:
        spelled = as_characters(data)
        captions = data.split("train").captions
        for i in range(0, len(captions), 101):
            text = data.vocabulary.decode(captions[i])
            said = spelled.vocabulary.decode(spelled.split("train").captions[i])
            for word, known in zip(said.split(), text.split(), strict=True):
                assert word == known or (known == "<UNK>" != word)


def prepared(folder: Path, **options: Any) -> Path:
    """Captions of which min_count = 2 leaves only `a` and `red` in the vocabulary; val has a letter of its own."""
    texts = {"train": ["A red zebu!", "a red fox", "A red, red ox"], "val": ["A red qi"]}
    whole: dict[str, Any] = {"images": [], "annotations": []}
    for split, captions in texts.items():
        for caption in captions:
            number = len(whole["images"])
            whole["images"].append({"id": number, "file_name": f"{number}.jpg", "split": split})
            whole["annotations"].append({"image_id": number, "caption": caption})
    folder.mkdir()
    (folder / "c.json").write_text(json.dumps(whole))
    np.save(folder / "f.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
    prepare(folder / "c.json", folder / "f.npy", folder / "out", min_count=2, **options)
    return folder / "out"


def texts_of(dataset: Dataset, split: str) -> list[str]:
    return [*map(dataset.vocabulary.decode, dataset.split(split).captions)]


@pytest.mark.parametrize("tokens", ["plain", "ptb"])
def test_rare_words_are_spelled_as_they_were_written(tmp_path: Path, tokens: str) -> None:
    with rnnkit.open_data(prepared(tmp_path / "data", tokens=tokens)) as data:
        assert texts_of(data, "train") == ["a red <UNK>", "a red <UNK>", "a red red <UNK>"]
        spelled = as_characters(data)
        assert texts_of(spelled, "train") == ["a red zebu", "a red fox", "a red red ox"]
        assert texts_of(spelled, "val") == ["a red <UNK><UNK>"]  # train has neither q nor i
        assert spelled.vocabulary.words[4:] == tuple(sorted(set(" aredzebufox")))
        assert spelled.length == len("a red red ox") + 2


def test_rare_words_stay_unknown_where_nobody_kept_what_was_written(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "data")
    for split in ("train", "val"):
        (folder / f"captions_{split}.json").unlink()
    with rnnkit.open_data(folder) as data:
        spelled = as_characters(data)
        assert texts_of(spelled, "train") == texts_of(data, "train")
        assert spelled.vocabulary == characters_of(data.vocabulary)


def test_a_model_of_the_letters_of_words_stays_with_them(tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(f"format = 1\n{SPEC}")
    folder = prepared(tmp_path / "data")
    with rnnkit.open_data(folder) as data:
        before = characters_of(data.vocabulary)
        sizes = Sizes(data.feature_width, before, 12)
        model = assemble(rnnkit.read_spec(spec), sizes)
        rnnkit.save(model, tmp_path / "old.h5")
        with h5py.File(tmp_path / "old.h5", "r") as file:
            assert file["cut"].asstr()[()] == "plain"
        loaded = rnnkit.load(tmp_path / "old.h5")
        assert loaded.vocabulary == before
        assert len(caption_split(loaded, data, "val")) == 1
        kept = as_characters(data, loaded.vocabulary)
        assert texts_of(kept, "train") == texts_of(data, "train")
        new = rnnkit.build(spec, data)
        assert new.vocabulary == as_characters(data).vocabulary != before
        assert len(caption_split(new, data, "val")) == 1
        again = as_characters(data, new.vocabulary)
        assert texts_of(again, "train")[0] == "a red zebu"


def test_characters_of_a_vocabulary_do_not_depend_on_captions() -> None:
    words = Vocabulary.from_words(["<NULL>", "<START>", "<END>", "ba", "ab", "c-d"])
    characters = characters_of(words)
    assert characters.words == ("<NULL>", "<START>", "<END>", " ", "-", "a", "b", "c", "d")
    assert characters.by_character
    assert not words.by_character
    assert characters_of(characters) is characters
    with pytest.raises(DataError, match="neither the word 'z' nor <UNK>"):
        characters.encode("az")


def test_a_long_text_is_cut_after_its_characters() -> None:
    characters = characters_of(Vocabulary.from_words(["<NULL>", "<START>", "<END>", "ab"]))
    assert characters.decode(characters.encode("ab ab", 6)) == "ab a"
    assert characters.encode("ab ab").tolist() == [1, 4, 5, 3, 4, 5, 2]


def test_captions_learnt_by_heart_are_said_letter_by_letter(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    wanted = ["train.epochs=1000", "train.optimizer.learning_rate=1e-2", "model.rnn[0].hidden=48"]
    model = rnnkit.build(spec, tiny_data, wanted)
    with rnnkit.open_data(tiny_data) as data:
        train = as_characters(data).split("train")
        rows = np.searchsorted(train.image_idxs, [0, 1])
        batch = train.captions[rows], train.features.rows(train.image_idxs[rows], model.dtype)
        trainer = Trainer(model, train)
        losses = [trainer.update(*batch).loss for _ in range(200)]
        assert losses[0] > 100
        assert losses[-1] < 1
        rnnkit.save(model, tmp_path / "m.h5")
        loaded = rnnkit.load(tmp_path / "m.h5")
        assert loaded.vocabulary == model.vocabulary
        said = caption_split(loaded, data, "train", 2)
    for item, row in zip(said, rows, strict=True):
        assert item.caption == model.vocabulary.decode(train.captions[row])
        assert item.caption in item.truth


def test_a_run_in_characters_trains_and_keeps_what_it_needs(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    run = rnnkit.train(spec, tiny_data, tmp_path / "run")
    assert run.history.records[-1].train_nats < run.history.records[0].train_nats
    assert run.history.records[-1].val_nats is not None
    assert rnnkit.read_spec(run.folder / "spec.toml").data.tokens == "char"
    loaded = rnnkit.load(run.folder)
    assert loaded.vocabulary == run.model.vocabulary
    assert loaded.vocabulary.by_character
    with rnnkit.open_data(tiny_data) as data:
        shown = caption_split(loaded, data, "val", 3)
        assert shown == caption_split(run.model, as_characters(data), "val", 3)
        val = data.split("val")
        assert shown[0].truth == [data.vocabulary.decode(row) for row in val.captions_of(0)]


def test_an_open_dataset_is_spelled_out_for_the_spec(spec: Path, tiny_data: Path) -> None:
    with rnnkit.open_data(tiny_data) as data:
        a, b = rnnkit.build(spec, data), rnnkit.build(spec, as_characters(data))
        assert a.vocabulary == b.vocabulary == as_characters(data).vocabulary
        assert a.length == b.length == as_characters(data).length
        in_words = rnnkit.build(spec, data, ["data.tokens=word"])
        assert in_words.vocabulary == data.vocabulary


def test_captioning_checks_the_characters(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    features = ["data.features=6", "data.vocabulary=30", "data.length=10"]
    other = write_data_folder(tmp_path / "other")
    with rnnkit.open_data(tiny_data) as data, rnnkit.open_data(other) as others:
        model = rnnkit.build(spec, data)
        with pytest.raises(DataError, match="features of width 6"):
            caption_split(model, others)
        stranger = rnnkit.build(spec, overrides=features)
        assert stranger.vocabulary.by_character
        with pytest.raises(DataError, match=r"\(18 characters\) than the model \(30 characters\)"):
            caption_split(stranger, others)
        spelled = rnnkit.build(spec, others)
        assert len(caption_split(spelled, others)) == 4
        in_words = rnnkit.build(spec, others, ["data.tokens=word"])
        with pytest.raises(DataError, match=r"\(18 characters\) than the model \(10 words\)"):
            caption_split(in_words, as_characters(others))


def rnnkit_build(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "rnnkit", "build", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_build_says_what_characters_do_to_the_size(spec: Path, tiny_data: Path) -> None:
    arguments: list[str | Path] = [spec, "--data", tiny_data]
    words = json.loads(rnnkit_build(*arguments, "--set", "data.tokens=word", "--json"))
    found = json.loads(rnnkit_build(*arguments, "--json"))
    assert (found["tokens"], words["tokens"]) == ("char", "word")
    assert words["in_words"] is None
    assert found["in_words"] == {
        "vocabulary": words["vocabulary"],
        "length": words["length"],
        "parameters": words["total"]["parameters"],
    }
    # Only the embedding (16 wide) and the head (24 wide, and its bias) know the vocabulary.
    fewer = words["vocabulary"] - found["vocabulary"]
    assert words["total"]["parameters"] - found["total"]["parameters"] == fewer * (16 + 24 + 1)
    line = (
        f"characters: vocabulary {found['vocabulary']} instead of {words['vocabulary']}, captions up to "
        f"{found['length']} tokens instead of {words['length']}, "
        f"{found['total']['parameters']:,} parameters instead of {words['total']['parameters']:,}"
    )
    assert line in rnnkit_build(*arguments).splitlines()
    assert "characters:" not in rnnkit_build(*arguments, "--set", "data.tokens=word")


def test_build_compares_only_what_would_fit_words(spec: Path, tiny_data: Path) -> None:
    with rnnkit.open_data(tiny_data) as data:
        characters = len(as_characters(data).vocabulary)
    head = f'model.head={{ use = "affine", units = {characters} }}'
    found = json.loads(rnnkit_build(spec, "--data", tiny_data, "--set", head, "--json"))
    assert found["in_words"] is None
    sizes = [f"data.{key}={found[key]}" for key in ("features", "vocabulary", "length")]
    settings = [argument for size in sizes for argument in ("--set", size)]
    assert json.loads(rnnkit_build(spec, "--data", tiny_data, *settings, "--json"))["in_words"]
    assert json.loads(rnnkit_build(spec, *settings, "--json"))["in_words"] is None
