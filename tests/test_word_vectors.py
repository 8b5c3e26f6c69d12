"""Embeddings that begin with vectors from a file."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

import rnnkit
from rnnkit.errors import SpecError
from rnnkit_builtin.initializers.word_vectors import WordVectors, read_vectors
from tests.datafolders import WORDS, write_data_folder
from tests.test_training import interrupt_at, same_run

GLOVE = """\
the 0.418 0.24968 -0.41242
a 0.21705 0.46515 -0.46757
red 0.12 -0.5 0.75
. . 0.1 0.2 0.3
circle -1.5 0.25 1e-2
red 9 9 9
naïve 0.5 0.5 0.5
"""
"""Of the words of the data, it has three, one of them twice."""

KNOWN = {"a": (0.21705, 0.46515, -0.46757), "red": (0.12, -0.5, 0.75), "circle": (-1.5, 0.25, 0.01)}

SPEC = """
[model]
words = {{ use = "embedding", dim = {dim}, weights = {{ use = "word-vectors", file = "{file}" }} }}
[[model.rnn]]
hidden = 6
cell = "lstm"
[train]
epochs = 2
batch = 4
[[train.group]]
parts = "words.*"
frozen = true
"""


@pytest.fixture
def glove(tmp_path: Path) -> Path:
    file = tmp_path / "glove.txt"
    file.write_text(GLOVE, encoding="utf-8")
    return file


@pytest.mark.parametrize("form", ["glove", "word2vec", "glove.gz", "word2vec.gz"])
def test_vectors_of_known_words_are_read(form: str, tmp_path: Path) -> None:
    text = GLOVE if form.startswith("glove") else f"7 3\n{GLOVE}".replace("\n", " \n")
    file = tmp_path / form
    data = text.encode()
    file.write_bytes(gzip.compress(data) if form.endswith("gz") else data)
    found = read_vectors(file, [*WORDS, "naïve"])
    assert found.keys() == {WORDS.index(word) for word in KNOWN} | {len(WORDS)}
    for word, vector in KNOWN.items():
        assert found[WORDS.index(word)].tolist() == list(vector)


def test_missing_words_are_drawn_at_the_scale_of_those_found(glove: Path) -> None:
    words = [*KNOWN, *(f"w{i}" for i in range(4000))]
    init = WordVectors(str(glove)).for_words(words)
    w = init.fill((len(words), 3), 1, 3, np.random.default_rng(0), np.dtype(np.float32))
    assert w.dtype == np.float32
    known = np.array(list(KNOWN.values()))
    np.testing.assert_array_equal(w[:3], known.astype(np.float32))
    assert w[3:].std() == pytest.approx(np.sqrt(np.mean(known**2)), rel=0.02)
    assert w[3:].mean() == pytest.approx(0.0, abs=0.02)
    assert "3 of 4,003 words have vectors in" in init.told


def test_a_network_begins_with_them_and_needs_the_file_no_more(glove: Path, tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data")
    spec = rnnkit.parse_spec(SPEC.format(dim=3, file=glove))
    model = rnnkit.build(spec, folder)
    assert model.notes == (
        f"3 of 10 words have vectors in {glove}; the others are drawn with standard deviation 0.634",
    )
    for word, vector in KNOWN.items():
        row = model.parameters["words.0.W"][WORDS.index(word)]
        np.testing.assert_array_equal(row, np.array(vector, np.float32))
    wanted = rnnkit.train(spec, folder, tmp_path / "whole")
    broken = rnnkit.train(spec, folder, tmp_path / "run", on_step=interrupt_at(1))
    assert not broken.finished
    glove.unlink()
    same_run(rnnkit.train(resume=tmp_path / "run"), wanted)
    loaded = rnnkit.load(tmp_path / "run")
    np.testing.assert_array_equal(
        loaded.parameters["words.0.W"], model.parameters["words.0.W"]
    )  # frozen


def test_sizes_without_data_know_no_words(glove: Path) -> None:
    overrides = ["data.features=4", "data.vocabulary=9", "data.length=6"]
    model = rnnkit.build(rnnkit.parse_spec(SPEC.format(dim=3, file=glove), overrides=overrides))
    assert model.notes == ()


@pytest.mark.parametrize(
    ("text", "dim", "said"),
    [
        (GLOVE, 5, "have 3 numbers, and here 5 are wanted: give the embedding dim = 3"),
        ("dog 1 2 3\n", 3, "has none of the 10 words of the data"),
        ("", 3, "has none of the 10 words of the data"),
        ("a 1 2 3\nred 1 2\n", 3, "glove.txt:2: 2 numbers where the first line has 3"),
        ("a 1 2 nan\n", 3, "glove.txt:1: a number that is not finite"),
        ("2 3\na 1 2 \x00\x01\n", 3, "glove.txt:2: not a word and numbers"),
        (None, 3, "No such file or directory"),
    ],
)
def test_files_that_are_wrong_are_told_with_the_line_of_the_spec(
    text: str | None, dim: int, said: str, glove: Path, tmp_path: Path
) -> None:
    glove.unlink() if text is None else glove.write_text(text)
    folder = write_data_folder(tmp_path / "data")
    with pytest.raises(SpecError) as caught:
        rnnkit.build(rnnkit.parse_spec(SPEC.format(dim=dim, file=glove), "s.toml"), folder)
    assert str(caught.value).startswith("s.toml:3: model.words[0]: ")
    assert said in str(caught.value)
    assert "glove.txt" in str(caught.value)


def test_a_file_that_ends_too_soon_is_told(tmp_path: Path) -> None:
    file = tmp_path / "glove.gz"
    file.write_bytes(gzip.compress(GLOVE.encode() * 100)[:-20])
    with pytest.raises(ValueError, match="cannot read the word vectors in"):
        read_vectors(file, ["nothing"])
    packed = bytearray(gzip.compress(GLOVE.encode() * 100))
    packed[20:24] = b"\xff" * 4
    file.write_bytes(packed)
    with pytest.raises(ValueError, match="cannot read the word vectors in"):
        read_vectors(file, ["nothing"])
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(ValueError, match=r"cannot read the word vectors in .*: it is no file"):
        read_vectors(file, ["nothing"])
