from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs
import h5py
import numpy as np
import numpy.typing as npt
import pytest

from rnnkit.data import (
    Features,
    FileFeatures,
    HeldFeatures,
    SplitSummary,
    Summary,
    Vocabulary,
    describe,
    open_data,
    open_features,
    read_vocabulary,
)
from rnnkit.data.features.ahead import read_ahead
from rnnkit.errors import DataError
from rnnkit.kinds import DType
from tests.datafolders import (
    WORDS,
    captions_path,
    features_path,
    put,
    put_at,
    read_array,
    write_data_folder,
)

FLOAT32: DType = np.dtype(np.float32)
FLOAT64: DType = np.dtype(np.float64)


@pytest.fixture
def by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """No features file is small enough to be held."""
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 0)


def open_file_count() -> int:
    return int(h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE))


# Vocabulary


def test_a_caption_is_encoded_and_decoded_word_by_word() -> None:
    vocabulary = Vocabulary.from_words(WORDS)
    tokens = vocabulary.encode("a red circle above a hippopotamus")
    assert tokens.tolist() == [1, 4, 5, 6, 7, 4, 3, 2]
    assert tokens.dtype == np.int32
    assert vocabulary.decode(tokens) == "a red circle above a <UNK>"
    assert len(vocabulary) == 10


@pytest.mark.parametrize(
    ("length", "expected"),
    [(6, [1, 4, 5, 2, 0, 0]), (4, [1, 4, 5, 2]), (3, [1, 4, 2]), (2, [1, 2])],
)
def test_encoding_to_a_length_cuts_words_or_fills_with_null(
    length: int, expected: list[int]
) -> None:
    assert Vocabulary.from_words(WORDS).encode("a red", length).tolist() == expected


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([1, 4, 0, 5, 2, 6, 2, 7], "a red"),
        ([4, 5], "a red"),
        ([2, 4], ""),
        ([], ""),
        ([0, 1, 3], "<UNK>"),
    ],
)
def test_decoding_skips_null_and_start_and_stops_at_the_first_end(
    tokens: list[int], text: str
) -> None:
    assert Vocabulary.from_words(WORDS).decode(np.array(tokens, np.int32)) == text


def test_special_words_may_stand_anywhere_and_unk_may_be_missing() -> None:
    vocabulary = Vocabulary.from_words(["cat", "<END>", "<START>", "<NULL>"])
    assert (vocabulary.null, vocabulary.start, vocabulary.end) == (3, 2, 1)
    assert vocabulary.unknown is None
    assert vocabulary.encode("cat", 4).tolist() == [2, 0, 1, 3]
    with pytest.raises(DataError, match="neither the word 'dog' nor <UNK>"):
        vocabulary.encode("dog")


def test_the_standard_vocabulary_has_the_special_words_first() -> None:
    vocabulary = Vocabulary.standard(6)
    assert vocabulary.words == ("<NULL>", "<START>", "<END>", "<UNK>", "word4", "word5")
    assert (vocabulary.null, vocabulary.start, vocabulary.end, vocabulary.unknown) == (0, 1, 2, 3)
    with pytest.raises(DataError, match="a vocabulary of 3 words is too small"):
        Vocabulary.standard(3)


@pytest.mark.parametrize("keys", [["idx_to_word"], ["word_to_idx"], ["idx_to_word", "word_to_idx"]])
def test_either_direction_of_the_vocabulary_file_is_enough(tmp_path: Path, keys: list[str]) -> None:
    whole = {
        "idx_to_word": list(WORDS),
        "word_to_idx": {word: WORDS.index(word) for word in sorted(WORDS)},
    }
    (tmp_path / "vocab.json").write_text(json.dumps({key: whole[key] for key in keys}))
    assert read_vocabulary(tmp_path / "vocab.json") == Vocabulary.from_words(WORDS)


SPECIAL = list(WORDS[:4])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", " is cut short: its JSON is not complete (Expecting property name"),
        (b"[" * 100_000, " is not valid JSON (maximum recursion depth exceeded"),
        (b"\xff\xfe", " is not UTF-8 text: it is UTF-16 text; save it as UTF-8"),
        (b"\xff[", " is not UTF-8 text (byte 0)"),
        (b"[]", " is not a vocabulary; expected a JSON object with the list idx_to_word"),
        ({"words": []}, " is not a vocabulary; expected a JSON object with the list idx_to_word"),
        ({"idx_to_word": {"0": "a"}}, ": idx_to_word is not a list"),
        ({"idx_to_word": [*SPECIAL, 5]}, ": idx_to_word[4] is 5, but words are strings"),
        ({"idx_to_word": [*SPECIAL, "a", "a"]}, " has the word 'a' twice, as tokens 4 and 5"),
        ({"idx_to_word": ["<NULL>", "a"]}, " lacks <START> and <END> among its 2 words"),
        ({"word_to_idx": ["a"]}, ": word_to_idx is not an object"),
        ({"word_to_idx": {"<NULL>": 0}}, " lacks <START> and <END> among its 1 words"),
        ({"word_to_idx": {"a": "0"}}, ": word_to_idx['a'] is '0', but tokens are integers from 0"),
        (
            {"word_to_idx": {"a": True}},
            ": word_to_idx['a'] is True, but tokens are integers from 0",
        ),
        ({"word_to_idx": {"a": -1}}, ": word_to_idx['a'] is -1, but tokens are integers from 0"),
        ({"word_to_idx": {"a": 0, "b": 0}}, ": word_to_idx gives token 0 to both 'a' and 'b'"),
        (
            {"word_to_idx": {"a": 0, "b": 2}},
            ": word_to_idx has no word for token 1, but goes up to 2",
        ),
        (
            {
                "idx_to_word": [*SPECIAL, "a"],
                "word_to_idx": {"<NULL>": 0, "<START>": 1, "<UNK>": 2},
            },
            ": idx_to_word and word_to_idx differ at token 2 ('<END>' and '<UNK>')",
        ),
        (
            {"idx_to_word": SPECIAL, "word_to_idx": {w: i for i, w in enumerate([*SPECIAL, "a"])}},
            ": idx_to_word and word_to_idx differ at token 4 (nothing and 'a')",
        ),
    ],
)
def test_a_bad_vocabulary_file_is_told_in_one_sentence(
    tmp_path: Path, content: bytes | dict[str, object], sentence: str
) -> None:
    folder = write_data_folder(tmp_path)
    path = folder / "vocab.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert_one_sentence(refusal(folder), path, sentence)


def test_all_mistakes_of_a_vocabulary_file_are_told_at_once(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path)
    path = folder / "vocab.json"
    path.write_text(json.dumps({"word_to_idx": {"<NULL>": 0, "a": "1", "b": 0, "c": -2}}))
    assert refusal(folder).splitlines() == [
        f"{path} has 3 mistakes:",
        "  word_to_idx['a'] is '1', but tokens are integers from 0",
        "  word_to_idx gives token 0 to both '<NULL>' and 'b'; every word needs a token of its own",
        "  word_to_idx['c'] is -2, but tokens are integers from 0",
    ]


def test_all_mistakes_of_captions_are_told_at_once_the_first_twenty_with_their_places(
    tmp_path: Path,
) -> None:
    folder = write_data_folder(tmp_path)
    for row in range(12):
        set_at(CAPTIONS, "train_captions", (row, 2), 99)(folder)
        set_at(CAPTIONS, "train_captions", (row, 0), 4)(folder)
    set_at(CAPTIONS, "train_captions", (0, 0), -1)(folder)
    set_at(CAPTIONS, "train_image_idxs", (9,), 4)(folder)
    title, *lines = refusal(folder).splitlines()
    assert title == f"{folder / CAPTIONS} has 25 mistakes:"
    assert lines[0].startswith("  train_captions[0, 0] is -1, but the 10 words of vocab.json are")
    assert lines[2].startswith("  train_captions[1, 2] is 99, but the 10 words of vocab.json are")
    assert lines[13].startswith("  train_captions[1] starts with token 4 (a), but every caption")
    assert lines[20:] == ["  and 5 more"]


# Features


@pytest.mark.parametrize("stored", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize(
    "storage",
    [{}, {"chunks": (3, 5)}, {"chunks": (7, 2), "compression": "gzip"}, {"fletcher32": True}],
    ids=["plain", "chunked", "compressed", "checksummed"],
)
@pytest.mark.parametrize("limit", [0, 2**20], ids=["by rows", "held"])
def test_rows_are_those_of_the_file_in_the_order_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stored: str,
    storage: dict[str, object],
    limit: int,
) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", limit)
    monkeypatch.setattr("rnnkit.data.features.one_file.BLOCK_BYTES", 100)
    rng = np.random.default_rng(3)
    values = rng.standard_normal((40, 5)).astype(stored)
    path = tmp_path / "features.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=values, **storage)
    features = open_features(path)
    assert (features.held, features.shape, features.stored) == (limit > 0, (40, 5), values.dtype)
    assert (len(features), features.width) == (40, 5)
    for indices in ([7], [], [39, 0, 39, 38, 5, 6, 7, 7], rng.integers(0, 40, 100)):
        for dtype in (FLOAT32, FLOAT64):
            rows = features.rows(np.array(indices, np.int32), dtype)
            expected = values[np.array(indices, np.intp)].astype(dtype)
            assert rows.dtype == dtype
            np.testing.assert_array_equal(rows, expected, strict=True)
    rows[:] = 0  # a new array: the file's own values are as they were
    np.testing.assert_array_equal(features.rows(np.arange(40), FLOAT64), values.astype(np.float64))
    features.close()


def test_a_file_is_held_up_to_the_limit_in_the_type_it_takes_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "half.h5", "features", np.ones((10, 10), np.float16))
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 400)
    assert isinstance(open_features(tmp_path / "half.h5"), HeldFeatures)
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 399)
    features = open_features(tmp_path / "half.h5")
    assert isinstance(features, FileFeatures)
    features.close()


def test_a_large_file_is_never_whole_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 2**20)
    monkeypatch.setattr("rnnkit.data.features.one_file.BLOCK_BYTES", 2**17)
    put(tmp_path / "large.h5", "features", np.ones((4096, 256), np.float32))
    tracemalloc.start()
    try:
        features = open_features(tmp_path / "large.h5")
        features.rows(np.arange(0, 4096, 64), FLOAT32)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    features.close()
    assert peak < 2**19  # the file has 2**22 bytes


@pytest.mark.parametrize("limit", [0, 2**20], ids=["by rows", "held"])
@pytest.mark.parametrize(
    ("value", "shown"), [(np.nan, "nan"), (-np.inf, "-inf"), (1e300, "1e+300")]
)
def test_the_first_value_that_is_not_finite_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, value: float, shown: str
) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", limit)
    monkeypatch.setattr("rnnkit.data.features.one_file.BLOCK_BYTES", 3 * 5 * 8)
    folder = write_data_folder(tmp_path, images=20, width=5)
    path = features_path(folder, "train")
    values = np.zeros((20, 5))
    values[17, 3], values[18, 0] = value, np.nan
    put(path, "features", values)
    before = open_file_count()
    sentence = f": features[17, 3] is {shown}, but features must be finite (in float32)"
    if limit:
        assert_one_sentence(refusal(folder), path, sentence)
        assert open_file_count() == before
        return
    with open_data(folder) as dataset:  # which does not look at them
        features = dataset.split("train").features
        with pytest.raises(DataError) as at_check:
            dataset.check()
        features.rows(np.array([16, 19, 0]), FLOAT32)
        with pytest.raises(DataError) as at_use:
            features.rows(np.array([18, 2, 17]), FLOAT32)
    assert_one_sentence(str(at_check.value), path, sentence)
    assert str(at_use.value) == str(at_check.value)
    assert open_file_count() == before


def test_a_check_goes_through_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnkit.data.features.one_file.BLOCK_BYTES", 3 * 6 * 4)
    for held in (True, False):
        monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 2**20 if held else 0)
        looked: list[int] = []
        with open_data(write_data_folder(tmp_path)) as dataset:
            dataset.check(looked.append)
        assert sum(looked) == 8
        assert len(looked) == (2 if held else 4)
    bad = HeldFeatures(np.array([[0.0, 1.0], [np.nan, 2.0]]))
    with pytest.raises(DataError, match=r"^the array of features: features\[1, 0\] is nan"):
        bad.check()


@pytest.mark.parametrize("limit", [0, 2**20], ids=["by rows", "held"])
@pytest.mark.parametrize("index", [-1, 4])
def test_a_row_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, index: int
) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", limit)
    with open_data(write_data_folder(tmp_path)) as dataset:
        features = dataset.split("train").features
        with pytest.raises(DataError) as caught:
            features.rows(np.array([0, index, 2]), FLOAT32)
    assert str(caught.value) == f"{features.source} has no row {index}; its 4 rows are 0 to 3"


@pytest.mark.usefixtures("by_rows")
def test_closing_a_dataset_closes_its_files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        before = open_file_count()
        with open_data(write_data_folder(Path(folder))) as dataset:
            for split in dataset.splits.values():
                split.features.rows(np.array([0]), FLOAT32)
            assert open_file_count() == before + 2
        assert open_file_count() == before
        features = dataset.split("train").features
        with pytest.raises(DataError, match=r"features_train.h5 has been closed"):
            features.rows(np.array([0]), FLOAT32)


@pytest.mark.usefixtures("by_rows")
def test_a_folder_that_is_refused_leaves_no_file_open(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path)
    put_at(captions_path(folder), "val_image_idxs", (1,), 9)
    before = open_file_count()
    refusal(folder)
    assert open_file_count() == before


def test_features_can_be_made_from_an_array() -> None:
    features: Features = HeldFeatures(np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(
        features.rows(np.array([2, 0, 2]), FLOAT32), [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]
    )
    assert (features.shape, features.stored, features.held) == ((3, 2), FLOAT64, True)


# Folders


@pytest.mark.parametrize("assignment", [False, True], ids=["data folder", "assignment"])
@pytest.mark.parametrize("raw", [False, True], ids=["pca", "raw"])
def test_both_layouts_open_with_what_is_in_their_files(
    tmp_path: Path, assignment: bool, raw: bool
) -> None:
    folder = write_data_folder(tmp_path, assignment=assignment, raw=True, compression="gzip")
    with open_data(str(folder), raw=raw) as dataset:
        assert dataset.vocabulary == Vocabulary.from_words(WORDS)
        assert list(dataset.splits) == ["train", "val"]
        assert (dataset.feature_width, dataset.length) == (12 if raw else 6, 8)
        for name, split in dataset.splits.items():
            captions = read_array(captions_path(folder), f"{name}_captions")
            idxs = read_array(captions_path(folder), f"{name}_image_idxs")
            values = read_array(features_path(folder, name, raw=raw), "features")
            np.testing.assert_array_equal(split.captions, captions, strict=True)
            np.testing.assert_array_equal(split.image_idxs, idxs, strict=True)
            rows = split.features.rows(split.image_idxs, FLOAT32)
            np.testing.assert_array_equal(rows, values.astype(np.float32)[idxs.astype(np.intp)])
            assert (split.name, split.images) == (name, 4)
            assert split.pictures == tuple(f"https://example.org/{name}{i}.png" for i in range(4))
            assert not split.captions.flags.writeable
            assert not split.image_idxs.flags.writeable


def test_the_other_spelling_of_the_image_indices_is_read(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path, assignment=True)
    with h5py.File(captions_path(folder), "r+") as file:
        file.move("train_image_idxs", "train_image_idxes")
    assert open_data(folder).split("train").image_idxs.tolist() == [
        0,
        0,
        0,
        1,
        1,
        1,
        2,
        2,
        2,
        3,
        3,
        3,
    ]


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_captions_of_any_integer_type_become_int32(
    tmp_path: Path, dtype: type[np.integer[npt.NBitBase]]
) -> None:
    folder = write_data_folder(tmp_path, splits=["train"])
    captions = read_array(captions_path(folder), "train_captions")
    put(captions_path(folder), "train_captions", captions.astype(dtype))
    np.testing.assert_array_equal(open_data(folder).split("train").captions, captions, strict=True)


def test_any_splits_are_found_with_train_first(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path, splits=["dev", "test", "train"])
    assert list(open_data(folder).splits) == ["train", "dev", "test"]


def test_a_folder_without_train_opens_and_says_so_when_train_is_wanted(tmp_path: Path) -> None:
    dataset = open_data(write_data_folder(tmp_path, splits=["val", "test"]))
    assert dataset.length == 8
    with pytest.raises(DataError) as caught:
        dataset.split("train")
    assert str(caught.value) == f"{tmp_path} has no split 'train'; it has test, val"


def test_the_captions_of_an_image_are_found_wherever_they_stand(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path, splits=["train"])
    put(captions_path(folder), "train_image_idxs", np.array([2, 0, 3] * 4, np.int32))
    split = open_data(folder).split("train")
    for image in range(4):
        expected = split.captions[split.image_idxs == image]
        np.testing.assert_array_equal(split.captions_of(image), expected, strict=True)
    assert split.captions_of(2).shape == (4, 8)
    assert split.captions_of(1).shape == (0, 8)


def test_pictures_in_the_folder_come_before_addresses_and_addresses_before_names(
    tmp_path: Path,
) -> None:
    folder = write_data_folder(tmp_path, splits=["val"])
    assert open_data(folder).split("val").pictures == tuple(
        f"https://example.org/val{i}.png" for i in range(4)
    )
    (folder / "images").mkdir()
    assert open_data(folder).split("val").pictures == tuple(
        str(folder / "images" / f"val{i}.png") for i in range(4)
    )
    (folder / "images").rmdir()
    (folder / "val_urls.txt").unlink()
    assert open_data(folder).split("val").pictures == tuple(f"val{i}.png" for i in range(4))
    (folder / "val_images.txt").unlink()
    assert open_data(folder).split("val").pictures is None


def test_a_folder_is_described_in_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_data_folder(tmp_path, splits=["train"], images=2, length=5, raw=True)
    captions = [[1, 4, 5, 3, 2], [1, 4, 2, 0, 0], [1, 3, 4, 2, 0], [1, 2, 0, 0, 0]]
    put(captions_path(folder), "train_captions", np.array(captions, np.int32))
    put(captions_path(folder), "train_image_idxs", np.array([0, 0, 1, 1], np.int32))
    expected = Summary(
        folder=str(folder),
        vocabulary=10,
        length=5,
        map=None,
        splits=(SplitSummary("train", 2, 4, 1.5, 100 / 3, 12, "float16", 48, 1, held=True),),
    )
    assert describe(open_data(folder, raw=True)) == expected
    json.dumps(attrs.asdict(expected), allow_nan=False)
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 0)
    with open_data(folder, raw=True) as dataset:
        assert not describe(dataset).splits[0].held


def test_without_an_unknown_word_there_is_no_rate_of_unknown_words(tmp_path: Path) -> None:
    words = ("<NULL>", "<START>", "<END>", "cat", "dog")
    dataset = open_data(write_data_folder(tmp_path, words=words))
    assert describe(dataset).splits[0].unknown_percent is None


# Folders that are refused


def refusal(folder: Path, *, raw: bool = False) -> str:
    with pytest.raises(DataError) as caught:
        open_data(folder, raw=raw)
    return str(caught.value)


def assert_one_sentence(message: str, path: Path, sentence: str) -> None:
    """That `message` names `path`, goes on like `sentence`, and is no more than that one sentence."""
    assert message.startswith(f"{path}{sentence}")
    assert "\n" not in message
    assert not message.endswith(".")


Spoil = Callable[[Path], object]


def remove(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def overwrite(name: str, content: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str, keep: int) -> Spoil:
    return lambda folder: os.truncate(folder / name, keep)


def replace(name: str, dataset: str, values: npt.ArrayLike | None) -> Spoil:
    return lambda folder: put(folder / name, dataset, values)


def set_at(name: str, dataset: str, index: tuple[int, ...], value: float) -> Spoil:
    return lambda folder: put_at(folder / name, dataset, index, value)


def make_directory(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def make_group(name: str, dataset: str) -> Spoil:
    def spoil(folder: Path) -> None:
        with h5py.File(folder / name, "r+") as file:
            del file[dataset]
            file.create_group(dataset)

    return spoil


def damage_chunk(name: str, dataset: str) -> Spoil:
    """Overwrite the middle of a compressed chunk."""

    def spoil(folder: Path) -> None:
        with h5py.File(folder / name, "r") as file:
            chunk = file[dataset].id.get_chunk_info(0)
        with (folder / name).open("r+b") as raw:
            raw.seek(chunk.byte_offset + chunk.size // 2)
            raw.write(b"\xff" * 8)

    return spoil


def remove_all_captions(folder: Path) -> None:
    with h5py.File(folder / "captions.h5", "r+") as file:
        file.clear()


CAPTIONS, TRAIN, VAL = "captions.h5", "features_train.h5", "features_val.h5"
LFS = b"version https://git-lfs.github.com/spec/v1"


# What is wrong: how it is brought about, the file or folder the sentence starts with, what it goes on with.
def huge_piece(folder: Path) -> None:
    with h5py.File(folder / "features_train.h5", "w") as file:
        file.create_dataset("features", (1 << 27, 4), np.float32, chunks=(1 << 27, 4))


BAD_FOLDERS: dict[str, tuple[Spoil, str, str]] = {
    "neither layout": (
        remove(CAPTIONS),
        "",
        " is not a data folder: it has neither captions.h5 nor, as in the assignment, coco2014_captions.h5",
    ),
    "no vocabulary": (
        remove("vocab.json"),
        "vocab.json",
        " is missing; captions.h5 cannot be read without it",
    ),
    "no features": (
        remove(VAL),
        VAL,
        " is missing: the val captions of captions.h5 need it; add it",
    ),
    "raw features only": (
        lambda folder: (folder / VAL).rename(folder / "features_raw_val.h5"),
        VAL,
        " is missing: the val captions of captions.h5 need it; features_raw_val.h5 is there: set raw",
    ),
    "captions not HDF5": (
        overwrite(CAPTIONS, LFS),
        CAPTIONS,
        " is not an HDF5 file: it is a pointer of Git LFS",
    ),
    "features not HDF5": (overwrite(TRAIN, b""), TRAIN, " is empty; write or"),
    "features a directory": (make_directory(TRAIN), TRAIN, " is a folder, where a file must be"),
    "captions cut short": (
        cut(CAPTIONS, 1500),
        CAPTIONS,
        " is cut short: it has 1,500 of its 13,864 bytes",
    ),
    "features cut short": (
        cut(TRAIN, 2000),
        TRAIN,
        " is cut short: it has 2,000 of its 4,123 bytes",
    ),
    "captions damaged": (
        damage_chunk(CAPTIONS, "train_captions"),
        CAPTIONS,
        " is damaged (",
    ),
    "features damaged": (damage_chunk(VAL, "features"), VAL, " is damaged ("),
    "no split": (
        remove_all_captions,
        CAPTIONS,
        " has no captions, such as a dataset train_captions; it has nothing",
    ),
    "no image indices": (
        replace(CAPTIONS, "train_image_idxs", None),
        CAPTIONS,
        " has no dataset train_image_idxs or train_image_idxes; it has train_captions, val_captions, val_",
    ),
    "no dataset of features": (
        replace(TRAIN, "features", None),
        TRAIN,
        " has no dataset features; it has nothing",
    ),
    "a group for features": (
        make_group(TRAIN, "features"),
        TRAIN,
        ": features is not a dataset, but a Group",
    ),
    "captions of floats": (
        replace(CAPTIONS, "val_captions", np.ones((12, 8))),
        CAPTIONS,
        ": val_captions is of type float64, but must be integers",
    ),
    "image indices of booleans": (
        replace(CAPTIONS, "val_image_idxs", np.ones(12, np.bool_)),
        CAPTIONS,
        ": val_image_idxs is of type bool, but must be integers",
    ),
    "features of integers": (
        replace(TRAIN, "features", np.ones((4, 6), np.int64)),
        TRAIN,
        ": features is of type int64, but must be floating-point numbers",
    ),
    "captions of another rank": (
        replace(CAPTIONS, "train_captions", np.ones(12, np.int32)),
        CAPTIONS,
        ": train_captions has the shape (12,), but must be (captions, length)",
    ),
    "image indices of another rank": (
        replace(CAPTIONS, "train_image_idxs", np.ones((12, 1), np.int32)),
        CAPTIONS,
        ": train_image_idxs has the shape (12, 1), but must be (captions)",
    ),
    "features of another rank": (
        replace(TRAIN, "features", np.ones(4, np.float32)),
        TRAIN,
        ": features has the shape (4,), but must be (images, width)",
    ),
    "features without a shape": (
        replace(TRAIN, "features", h5py.Empty("f")),
        TRAIN,
        ": features has the shape None, but must be (images, width)",
    ),
    "no captions in a split": (
        replace(CAPTIONS, "val_captions", np.ones((0, 8), np.int32)),
        CAPTIONS,
        ": val_captions is empty, of shape (0, 8)",
    ),
    "no images in a split": (
        replace(VAL, "features", np.ones((0, 6), np.float32)),
        VAL,
        ": features is empty, of shape (0, 6)",
    ),
    "fewer image indices": (
        replace(CAPTIONS, "train_image_idxs", np.zeros(11, np.int32)),
        CAPTIONS,
        ": train_captions has 12 rows and train_image_idxs 11, but",
    ),
    "token too large": (
        set_at(CAPTIONS, "val_captions", (7, 3), 10),
        CAPTIONS,
        ": val_captions[7, 3] is 10, but the 10 words of vocab.json are tokens 0 to 9; use the vocabulary",
    ),
    "token negative": (
        set_at(CAPTIONS, "val_captions", (11, 7), -1),
        CAPTIONS,
        ": val_captions[11, 7] is -1, but the 10 words of vocab.json are tokens 0 to 9",
    ),
    "no <START>": (
        set_at(CAPTIONS, "train_captions", (5, 0), 4),
        CAPTIONS,
        ": train_captions[5] starts with token 4 (a), but every caption must start with token 1 (<START>)",
    ),
    "captions of one token": (
        replace(CAPTIONS, "train_captions", np.ones((12, 1), np.int32)),
        CAPTIONS,
        ": train_captions has rows of one token, too short for <START> and <END>",
    ),
    "image out of range": (
        set_at(CAPTIONS, "train_image_idxs", (9,), 4),
        CAPTIONS,
        ": train_image_idxs[9] is 4, but the 4 rows of {folder}/features_train.h5 are 0 to 3; use",
    ),
    "feature not finite": (
        set_at(VAL, "features", (2, 1), np.inf),
        VAL,
        ": features[2, 1] is inf, but features must be finite (in float32); compute",
    ),
    "features of two widths": (
        replace(VAL, "features", np.ones((4, 5), np.float32)),
        VAL,
        " has features of width 5, but {folder}/features_train.h5 of width 6; one network",
    ),
    "captions without an end": (
        replace(CAPTIONS, "val_captions", np.array([[1, 4, 2, 0]] * 11 + [[1, 4, 0, 0]], np.int32)),
        CAPTIONS,
        ": val_captions[11] has no <END>; a caption is <START>, its words, <END>, and <NULL> up to",
    ),
    "captions with a hole": (
        set_at(CAPTIONS, "val_captions", (7, 1), 0),
        CAPTIONS,
        ": val_captions[7] has <NULL> among its words; a caption is",
    ),
    "captions that start twice": (
        set_at(CAPTIONS, "val_captions", (7, 1), 1),
        CAPTIONS,
        ": val_captions[7] has <START> among its words; a caption is",
    ),
    "captions that go on": (
        set_at(CAPTIONS, "val_captions", (7, 1), 2),
        CAPTIONS,
        ": val_captions[7] goes on after <END>; a caption is",
    ),
    "a piece of gigabytes": (
        huge_piece,
        "features_train.h5",
        " has features in pieces of 2.15 GB, each of which must be read whole; write it with chunks of 1.07 GB",
    ),
    "captions of two lengths": (
        replace(CAPTIONS, "val_captions", np.tile(np.array([1, 2] + [0] * 7, np.int32), (12, 1))),
        CAPTIONS,
        ": val_captions has rows of 9 tokens, but train_captions of 8; fill",
    ),
    "pictures missing": (
        overwrite("val_urls.txt", b"one\ntwo\n"),
        "val_urls.txt",
        " has 2 lines, but {folder}/features_val.h5 has 4 rows; it must have a line for each",
    ),
    "pictures not text": (
        overwrite("val_urls.txt", b"one\n\xff"),
        "val_urls.txt",
        " is not UTF-8 text (byte 4)",
    ),
    "vocabulary a directory": (
        make_directory("vocab.json"),
        "vocab.json",
        " is a folder, where a file must be",
    ),
}


@pytest.mark.parametrize("wrong", BAD_FOLDERS)
def test_a_bad_folder_is_told_in_one_sentence(tmp_path: Path, wrong: str) -> None:
    spoil, name, sentence = BAD_FOLDERS[wrong]
    folder = write_data_folder(tmp_path, compression="gzip")
    spoil(folder)
    assert_one_sentence(refusal(folder), folder / name, sentence.format(folder=folder))


def test_the_assignments_files_are_called_by_their_own_names(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path, assignment=True)
    assert_one_sentence(
        refusal(folder, raw=True),
        folder / "train2014_vgg16_fc7.h5",
        " is missing: the train captions of coco2014_captions.h5 need it; "
        "train2014_vgg16_fc7_pca.h5 is there: leave raw out to use it",
    )
    put_at(captions_path(folder), "train_captions", (2, 1), 99)
    assert "the 10 words of coco2014_vocab.json are tokens 0 to 9" in refusal(folder)


def test_a_folder_that_is_missing_or_a_file_is_refused(tmp_path: Path) -> None:
    missing, file = tmp_path / "nothing", tmp_path / "file"
    file.touch()
    assert_one_sentence(
        refusal(missing), missing, " does not exist; give the path of a data folder"
    )
    assert_one_sentence(refusal(file), file, " cannot be opened as a folder: Not a directory; give")


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """As a user to whom permissions apply."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", " cannot be opened as a folder: Permission denied; give"),
        ("vocab.json", " cannot be read: permission denied; change its permissions"),
        ("captions.h5", " cannot be read: permission denied; change its permissions"),
        ("features_val.h5", " cannot be read: permission denied; change its permissions"),
        (
            "train_urls.txt",
            " cannot be read: permission denied; change its permissions",
        ),
    ],
)
def test_what_may_not_be_read_is_named(name: str, sentence: str) -> None:
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = write_data_folder(Path(parent) / "data")
        open_data(folder)
        (folder / name).chmod(0)
        with without_privileges():
            message = refusal(folder)
        (folder / name).chmod(0o755)
    assert_one_sentence(message, folder / name, sentence)


@pytest.mark.parametrize("name", ["captions.h5", "features_train.h5", "vocab.json"])
def test_damage_of_any_kind_ends_in_a_data_error_or_in_an_open_folder(
    tmp_path: Path, name: str
) -> None:
    folder = write_data_folder(tmp_path, compression="gzip")
    content = (folder / name).read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for trial in range(150):
        spoilt = bytearray(content)
        if trial % 3 == 0:
            del spoilt[int(rng.integers(len(spoilt))) :]
        for place in rng.integers(len(content), size=trial % 3 * 4):
            spoilt[place] = int(rng.integers(256))
        (folder / name).write_bytes(spoilt)
        try:
            open_data(folder).close()
        except DataError:
            refused += 1
    assert refused >= 50


# The real thing


def test_importing_data_loads_nothing_heavier_than_numpy_h5py_and_attrs() -> None:
    program = (
        "import sys, rnnkit.data\n"
        "names = {name.partition('.')[0] for name in sys.modules}\n"
        "print(*sorted(names & set(sys.argv[1:])))"
    )
    others = ["torch", "scipy", "matplotlib", "typer", "rich", "rnnkit_builtin", "pytest"]
    done = subprocess.run(
        [sys.executable, "-c", program, *others, "numpy", "h5py", "attrs"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["attrs", "h5py", "numpy"]


@pytest.mark.parametrize(
    ("name", "vocabulary", "counts", "unknown"),
    [
        ("flickr8k", 2541, {"train": (6000, 30000), "val": (1000, 5000)}, 2.6),
        ("coco_mini_cs231n", 1064, {"train": (889, 4445), "val": (100, 501)}, 6.8),
    ],
)
@pytest.mark.parametrize("raw", [False, True], ids=["pca", "raw"])
def test_real_data_opens_with_the_numbers_it_is_known_for(
    real_data: Path,
    name: str,
    vocabulary: int,
    counts: dict[str, tuple[int, int]],
    unknown: float,
    raw: bool,
) -> None:
    with open_data(real_data / name, raw=raw) as dataset:
        summary = describe(dataset)
        assert (summary.vocabulary, summary.length) == (vocabulary, 17)
        assert {s.split: (s.images, s.captions) for s in summary.splits} == counts
        train = summary.splits[0]
        assert (train.feature_width, train.feature_type) == (
            (1280, "float16") if raw else (512, "float32")
        )
        assert train.unknown_percent == pytest.approx(unknown, abs=0.05)
        split = dataset.split("val")
        assert split.pictures is not None
        assert split.pictures[0].startswith("http")
        assert [len(split.captions_of(image)) for image in range(3)] == [5, 5, 5]


def test_batches_are_read_one_ahead_and_in_order() -> None:
    events: list[str] = []
    lock = threading.Lock()

    def read(i: int) -> int:
        with lock:
            events.append(f"read {i}")
        if i == 3:
            raise DataError("row 3 is gone")
        return i

    batches = read_ahead(partial(read, i) for i in range(5))
    for i in range(3):
        assert next(batches) == i
        events.append(f"use {i}")
        while f"read {i + 1}" not in events:  # comes by itself
            time.sleep(0.001)
    with pytest.raises(DataError, match="row 3 is gone"):
        next(batches)
    assert [event for event in events if event.startswith("read")] == [
        f"read {i}" for i in range(len(events) - 3)
    ]


@pytest.mark.parametrize("held", [True, False])
def test_a_split_gives_captions_with_the_features_of_their_images(
    held: bool, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 2**20 if held else 0)
    with open_data(tiny_data) as data:
        split = data.split("train")
        assert split.features.held is held
        everything = split.features.rows(np.arange(split.images), np.dtype(np.float32))
        rng = np.random.default_rng(0)
        chosen = [rng.integers(0, len(split.captions), 7) for _ in range(4)]
        found = list(split.batches(chosen, np.dtype(np.float32)))
        assert len(found) == 4
        for rows, (captions, features) in zip(chosen, found, strict=True):
            np.testing.assert_array_equal(captions, split.captions[rows])
            np.testing.assert_array_equal(features, everything[split.image_idxs[rows]])
