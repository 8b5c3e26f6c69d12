"""Damage of a data folder that no reader notices is noticed by its digests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import h5py
import pytest
from typer.testing import CliRunner

from rnnkit.cli import app
from rnnkit.data import open_data
from rnnkit.data.checksums import CHECKSUMS, check_checksums, renew_checksum, write_checksums
from rnnkit.errors import DataError
from tests.datafolders import write_data_folder


@pytest.fixture
def folder(tiny_data: Path, tmp_path: Path) -> Path:
    """A copy of a data folder as `rnnkit data demo` writes it."""
    return Path(shutil.copytree(tiny_data, tmp_path / "data"))


def test_a_flipped_bit_of_any_file_is_found_by_data_info(folder: Path) -> None:
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.name != CHECKSUMS)
    assert check_checksums(folder) == len(files) > 10
    for file in (folder / "features_val.h5", folder / "val_images.txt", files[0]):
        whole = file.read_bytes()
        middle = len(whole) // 2
        file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        name = file.relative_to(folder).as_posix()
        with pytest.raises(DataError, match=f": {name}: is not as it was written") as refused:
            check_checksums(folder)
        assert len(str(refused.value).splitlines()) == 1
        told = CliRunner().invoke(app, ["data", "info", str(folder)])
        assert isinstance(told.exception, DataError)
        file.write_bytes(whole)
    assert CliRunner().invoke(app, ["data", "info", str(folder)]).exit_code == 0


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum")
def test_the_usual_tool_checks_them(folder: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--quiet", CHECKSUMS], cwd=folder, check=True)


def test_pictures_may_be_left_behind_but_no_other_file(folder: Path) -> None:
    shutil.rmtree(folder / "images")
    check_checksums(folder)
    (folder / "vocab.json").unlink()
    with pytest.raises(DataError, match=r"vocab\.json: cannot be read"):
        check_checksums(folder)


@pytest.mark.parametrize(
    "line", ["x", f"{'0' * 64}  /etc/passwd", f"{'0' * 64}  ../x", "\x00" * 70]
)
def test_lines_that_lead_elsewhere_are_not_followed(line: str, folder: Path) -> None:
    (folder / CHECKSUMS).write_text(line + "\n")
    with pytest.raises(DataError, match="line 1 is no digest and the name of a file in the folder"):
        check_checksums(folder)


def test_a_folder_without_digests_is_as_good_as_before(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data")
    assert check_checksums(folder) == 0
    renew_checksum(folder, "vocab.json")
    assert not (folder / CHECKSUMS).exists()
    write_checksums(folder)
    (folder / "vocab.json").write_text("{}")
    renew_checksum(folder, "vocab.json")
    assert check_checksums(folder) > 4


def test_damage_in_numbers_is_noticed_when_they_are_read(folder: Path) -> None:
    for file, name in (("features_train.h5", "features"), ("captions.h5", "val_captions")):
        path = folder / file
        whole = path.read_bytes()
        with h5py.File(path) as h5:
            at = h5[name].id.get_chunk_info(0).byte_offset + 9
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(DataError, match=f"{file} is damaged"):
            open_data(folder)
        path.write_bytes(whole)
    open_data(folder).close()
