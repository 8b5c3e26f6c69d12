"""Files that are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnkit.errors import CheckpointError
from rnnkit.system.files import files_below, remove_left_over, write_text_whole, write_whole
from rnnkit.system.outputs import SCHEMA, check_output


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "kept.txt"
    write_text_whole(file, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half of the new")
        raise OSError(28, "No space left on device")

    with pytest.raises(CheckpointError, match=r"cannot write .*kept\.txt: No space left on device"):
        write_whole(file, fail)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_in_the_place_of_a_folder_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(CheckpointError, match=r"cannot write .*x\.txt: "):
        write_text_whole(tmp_path / "folder" / "x.txt", "text")


def test_what_is_replaced_may_go_on_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, previous = tmp_path / "new.txt", tmp_path / "old.txt"

    def write(text: str) -> None:
        def put(temporary: Path) -> None:
            temporary.write_text(text)

        write_whole(file, put, previous)

    write("1")
    assert not previous.exists()
    write("2")
    assert (file.read_text(), previous.read_text()) == ("2", "1")

    def unknown(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unknown)
    write("3")
    assert (file.read_text(), previous.read_text()) == ("3", "2")
    assert sorted(tmp_path.iterdir()) == [file, previous]


def test_what_the_dead_have_left_is_removed_and_the_living_keep_theirs(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names: list[str] = []

    def look(temporary: Path) -> None:
        names.append(temporary.name)
        for other in (dead.pid, 10**12):
            (tmp_path / temporary.name.replace(str(os.getpid()), str(other))).touch()
        (tmp_path / f".x.{dead.pid}.tmp").touch()
        (tmp_path / f".x.another_machine-{dead.pid}.tmp").touch()
        (tmp_path / ".notes.tmp").touch()
        temporary.write_text("whole")
        remove_left_over(tmp_path)
        assert temporary.exists()

    write_whole(tmp_path / "file.txt", look)
    there = sorted(f.name for f in tmp_path.iterdir())
    assert there == [".notes.tmp", f".x.another_machine-{dead.pid}.tmp", "file.txt"]


@pytest.mark.parametrize(
    ("kind", "called"), [("pipe", "a named pipe"), ("device", "a device"), ("folder", "a folder")]
)
def test_what_is_no_file_is_not_replaced(kind: str, called: str, tmp_path: Path) -> None:
    place = tmp_path / "out"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/null")
    else:
        place.mkdir()
    before = place.lstat().st_ino
    with pytest.raises(CheckpointError, match=f"cannot write {place}: it is {called}, which no"):
        write_text_whole(place, "x")
    if kind != "folder":
        with pytest.raises(CheckpointError, match=f"cannot write {place}: it is {called}"):
            check_output(place, SCHEMA, force=True)
    assert place.lstat().st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_of_folders_that_vanish_while_they_are_listed_nothing_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b/2.npy", "gone/3.npy", "1.npy", "a/c/0.npy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    list_folder = os.scandir

    def vanishing(path: str) -> object:
        if Path(path).name == "gone":
            raise FileNotFoundError(path)
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert files_below(tmp_path) == [tmp_path / name for name in ("1.npy", "a/c/0.npy", "b/2.npy")]
