"""Where numbers, texts and files end: told before anything is allocated or waited for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import rnnkit.network.builder
from rnnkit.errors import CheckpointError, SpecError
from rnnkit.kinds import GatedCell, Layer
from rnnkit.kinds.arrays import named_arrays
from rnnkit.network.builder import build
from rnnkit.network.checkpoint import load_model
from rnnkit.network.engine import recurrent_layer
from rnnkit.network.room import of_layer, of_recurrence
from rnnkit.spec import load_plugin, parse_spec
from rnnkit.spec.overrides import read_override
from rnnkit.spec.places import lines_of

SPEC = """
[data]
features = 4
vocabulary = 8
length = 5
[[model.rnn]]
hidden = 4
cell = "lstm"
"""


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("x = " + "[" * 3000 + "]" * 3000, "more than 50 tables or arrays are in each other"),
        ("x = " + "[" * 60 + "]" * 60, "more than 50 tables or arrays are in each other"),
        (".".join("a" * 60) + " = 1", "more than 50 tables or arrays are in each other"),
        ("[[model.rnn]]\n" * 10001, "model.rnn: it has 10,001 elements, but 10,000 are the most"),
        ("x = " + "9" * 4301, "a number has more than 4,300 digits"),
        (SPEC.replace("hidden = 4", "hidden = 0x" + "F" * 5000), "a number of thousands of digits is larger"),
        (SPEC.replace("hidden = 4", "hidden = 9223372036854775808"), "larger than any number of 64 bits"),
        (SPEC.replace("length = 5", "length = 1000000000000"), "'length' must be <= 100000"),
        (SPEC.replace("vocabulary = 8", "vocabulary = 10000000000"), "'vocabulary' must be <= 1000000"),
        ('[data]\npath = "a\\u0000b"\n' + SPEC.split("5\n")[1], "has the character NUL, which no name"),
    ],
)  # fmt: skip
def test_a_spec_without_end_is_one_sentence(source: str, sentence: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_spec(source)
    (line,) = str(refused.value).splitlines()
    assert sentence in line
    assert len(line) < 300


@pytest.mark.parametrize("name", ["a.²", "a.٣", "a.99999999999999999999", "a.4"])
def test_only_plain_digits_count_elements(name: str) -> None:
    assert read_override(f"{name}=1").path == ("a", 4 if name == "a.4" else name[2:])


def test_of_many_mistakes_the_first_are_told_and_the_others_counted() -> None:
    source = SPEC + "".join(f"x{i} = 1\n" for i in range(5000))
    with pytest.raises(SpecError) as refused:
        parse_spec(source)
    lines = str(refused.value).splitlines()
    assert lines[-1] == "and 4,950 more"
    assert len(lines) == 51
    assert lines_of(source)["model", "rnn", 0, "x4999"] == source.count("\n")


@pytest.mark.parametrize("kind", ["lstm", "gru", "vanilla", "attention-lstm"])
def test_the_parameters_of_a_large_cell_are_known_from_small_ones(kind: str) -> None:
    gated: Any = GatedCell
    cell = load_plugin(gated, kind)
    whole = recurrent_layer(cell, 7, 11, np.random.default_rng(0), np.dtype("f4"))
    numbers = sum(a.size for _, a in named_arrays(whole.params))
    assert of_recurrence(cell, 7, 11, np.dtype("f4")) == numbers


def test_the_parameters_of_a_large_layer_are_known_from_small_ones() -> None:
    layer: Any = Layer
    assert of_layer(load_plugin(layer, "affine", units=9), 1000, np.dtype("f4")) == 1000 * 9 + 9
    assert of_layer(load_plugin(layer, "dropout", rate=0.5), 1000, np.dtype("f4")) == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("hidden = 4", "hidden = 100000"), "model.rnn[0].hidden: its 40,102,800,000 parameters take 160 GB"),
        (("[[model", 'head = "affine"\nwords = { use = "embedding", dim = 1000001 }\n[[model'), "model.words[0]: its outputs have width 1000001"),
    ],
)  # fmt: skip
def test_the_part_that_wants_more_than_there_is_is_told_before_it_is_made(
    change: tuple[str, str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rnnkit.network.builder, "memory", lambda: 24 * 10**9)
    file = tmp_path / "large.toml"
    file.write_text(SPEC.replace("[[model", "[model]\n[[model").replace(*change))
    with pytest.raises(SpecError) as refused:
        build(file)
    assert sentence in str(refused.value)


def put(name: str, value: object) -> Callable[[Any], None]:
    """Replace what a file has under a name."""

    def change(h5: Any) -> None:
        del h5[name]
        if callable(value):
            value(h5)
        else:
            h5[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put("words", "3"), "has words as something else than rnnkit writes"),
        (put("words", "x"), "not a complete model file"),
        (put("words", "[" * 100000), "not a complete model file (it is nested too deeply)"),
        (put("words", '[["a"]]'), "has words as something else than rnnkit writes"),
        (put("provenance", "[1]"), "has provenance as something else than rnnkit writes"),
        (put("spec", 3), "has spec as something else than a text"),
        (put("spec", lambda h5: h5.create_group("spec")), "has spec as something else than a text"),
        (put("spec", lambda h5: h5.create_dataset("spec", data=["a", "b"])), "has spec as something else than a text"),
        (put("parameters", np.zeros(3)), "has parameters as something else than a group"),
        (put("parameters/head.0.b", h5py.Empty("f4")), "has head.0.b as something else than numbers"),
        (put("parameters/head.0.b", "x"), "has head.0.b as something else than numbers"),
        (
            put("parameters/head.0.b", lambda h5: h5.create_dataset("parameters/head.0.b", data=np.zeros(1 << 20, "f4"), compression="gzip")),
            "declares more numbers in parameters than the file has",
        ),
        (put("joiner", "\n"), "has words that are joined by '\\n', but a blank or nothing joins words"),
        (put("seen", "[1]"), "not a complete model file (it says of its data [1])"),
    ],
)  # fmt: skip
def test_a_model_file_that_lies_under_a_digest_that_is_right_is_told(
    change: Callable[[Any], None], sentence: str, small_run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "model.h5"
    file.write_bytes((small_run / "last.h5").read_bytes())
    with h5py.File(file, "a") as h5:
        change(h5)
    with file.open("r+b") as f:
        f.seek(512)
        digest = hashlib.blake2b(f.read()).hexdigest().encode()
        f.seek(0)
        f.write((b"rnnkit model, blake2b of what follows: " + digest).ljust(512, b"\0"))
    with pytest.raises((CheckpointError, rnnkit.errors.DataError)) as refused:
        load_model(file)
    assert str(refused.value).startswith(str(file))
    assert sentence in str(refused.value)
