"""Texts of an HDF5 file that say they are longer than the file are refused before memory is taken for them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rnnkit.data.preparing.feature_source import open_source
from rnnkit.errors import CheckpointError, DataError
from rnnkit.network.checkpoint import load_model
from rnnkit.system.hdf5 import read_text, take
from rnnkit.system.why import Refused
from tests.test_elsewhere import sealed

TEXTS = ["ab", "cde", "ééé"] * 40
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "chunks": {"chunks": (7,)},
    "gzip": {"chunks": (7,), "compression": "gzip", "shuffle": True},
    "lzf": {"chunks": (50,), "compression": "lzf"},
    "filled": {"chunks": (50,), "fillvalue": "none"},
}


def write(path: Path, form: str, **options: Any) -> None:
    with h5py.File(path, "w", **options) as h5:
        h5.create_dataset("texts", data=TEXTS, dtype=h5py.string_dtype(), **FORMS[form])


def lengthen(path: Path, name: str, length: int) -> None:
    """Have the first text of a dataset declare another length."""
    declared = length.to_bytes(4, "little")
    with h5py.File(path, "r+") as h5:
        dataset = h5[name]
        if dataset.chunks:
            unpacked = 0xFFFFFFFF
            piece = declared + bytes(16 * dataset.chunks[0] - 4)
            dataset.id.write_direct_chunk((0,), piece, unpacked)
            return
        at = dataset.id.get_offset()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(declared)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", [0xFFFFFFFF, 100_000])
def test_a_text_that_is_longer_than_its_file_is_refused(
    form: str, length: int, tmp_path: Path
) -> None:
    write(tmp_path / "t.h5", form)
    lengthen(tmp_path / "t.h5", "texts", length)
    with (
        h5py.File(tmp_path / "t.h5") as h5,
        pytest.raises(Refused, match=r"as texts, but has .* in all"),
    ):
        take(h5, "texts")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("block", [0, 1024])
def test_texts_that_are_there_are_read(form: str, block: int, tmp_path: Path) -> None:
    write(tmp_path / "t.h5", form, userblock_size=block)
    with h5py.File(tmp_path / "t.h5") as h5:
        assert take(h5, "texts").asstr()[()].tolist() == TEXTS


def test_a_file_of_short_addresses_is_read(tmp_path: Path) -> None:
    settings = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    settings.set_sizes(4, 4)
    path = tmp_path / "t.h5"
    with h5py.File(h5py.h5f.create(bytes(path), h5py.h5f.ACC_TRUNC, fcpl=settings)) as h5:
        h5["text"] = "abcde"
        h5.create_dataset("texts", data=TEXTS, dtype=h5py.string_dtype(), **FORMS["gzip"])
    with h5py.File(path) as h5:
        assert read_text(h5, "text") == "abcde"
        assert take(h5, "texts").asstr()[()].tolist() == TEXTS
    lengthen(path, "text", 10_000_000)
    with h5py.File(path) as h5, pytest.raises(Refused, match="declares 10 MB as text, but has"):
        read_text(h5, "text")


def test_a_file_that_is_cut_off_is_told_by_reading_it(tmp_path: Path) -> None:
    write(tmp_path / "t.h5", "plain")
    with h5py.File(tmp_path / "t.h5") as h5:
        at = h5["texts"].id.get_offset()
        with (tmp_path / "t.h5").open("r+b") as file:
            file.truncate(at + 40)
        with pytest.raises(OSError, match="read data"):
            take(h5, "texts")[()]


def test_of_a_file_that_is_replaced_the_open_one_is_read(tmp_path: Path) -> None:
    write(tmp_path / "t.h5", "plain")
    with h5py.File(tmp_path / "t.h5") as h5:
        (tmp_path / "other").write_bytes(b"\xff" * 2**16)
        (tmp_path / "other").replace(tmp_path / "t.h5")
        assert take(h5, "texts").asstr()[()].tolist() == TEXTS


def test_numbers_of_any_length_count_by_their_bytes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as h5:
        h5.create_dataset("texts", (3,), h5py.vlen_dtype(np.float64))[0] = np.ones(9)
    with h5py.File(tmp_path / "t.h5") as h5:
        assert take(h5, "texts")[0].tolist() == [1.0] * 9
    lengthen(tmp_path / "t.h5", "texts", 10**6)
    with h5py.File(tmp_path / "t.h5") as h5, pytest.raises(Refused, match="declares 8 MB as texts"):
        take(h5, "texts")


def test_what_cannot_be_looked_at_is_refused(tmp_path: Path) -> None:
    mixed = np.dtype([("number", "i4"), ("text", h5py.string_dtype())])
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    with h5py.File(tmp_path / "t.h5", "w") as h5:
        h5["mixed"] = np.array([(1, "a")], mixed)
        kind = h5py.h5t.py_create(h5py.string_dtype(), logical=True)
        h5py.h5d.create(h5.id, b"compact", kind, h5py.h5s.create(h5py.h5s.SCALAR), compact)
        h5["compact"][()] = "abc"
    with h5py.File(tmp_path / "t.h5") as h5:
        for name in ("mixed", "compact"):
            with pytest.raises(
                Refused, match=f"has {name} as values whose lengths cannot be looked"
            ):
                take(h5, name)


def test_a_model_whose_words_are_longer_than_the_file_is_damaged(
    small_run: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copy(small_run / "best.h5", tmp_path / "best.h5"))
    lengthen(file, "words", 0xFFFFFFFF)
    sealed(file)
    with pytest.raises(CheckpointError, match=r"declares 4\.29 GB as words, but has .* in all"):
        load_model(file)


def test_ids_of_images_are_counted_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as h5:
        h5["features"] = np.ones((3, 2))
        h5.create_dataset("image_ids", (10**8,), "i1", chunks=(10**8,), compression="gzip")[0] = 1
    with (
        open_source([path]) as source,
        pytest.raises(DataError, match="image_ids has 100000000 rows"),
    ):
        source.ids()
