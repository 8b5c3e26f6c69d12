"""A file that cannot be read: the reason decides the sentence."""

from __future__ import annotations

import errno
import gzip
import io
import os
import pickle
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from rnnkit.data.features import open_features
from rnnkit.data.preparing.feature_source import open_source
from rnnkit.data.texts import read_json, read_text
from rnnkit.errors import CheckpointError, DataError, SpecError
from rnnkit.network.checkpoint import load_model
from rnnkit.spec.reader import source_of
from rnnkit.system.why import HDF5, why


def said(read: Callable[[Path], object], path: Path) -> str:
    """What is said of a file, behind its name."""
    with pytest.raises((DataError, CheckpointError, SpecError)) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path} "), text
    return text.removeprefix(f"{path} ")


def source(path: Path) -> None:
    with open_source([path]):
        pass


def npy(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], **several: bool) -> bytes:
    file = io.BytesIO()
    (np.savez if several else np.save)(file, values)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/features.h5", b"x")
    return file.getvalue()


VALUES = np.ones((2, 3), np.float32)
OTHERS = {
    "NumPy": (npy(VALUES), "a NumPy file (.npy); give an HDF5 file"),
    "npz": (npy(VALUES, several=True), "a NumPy archive (.npz); save its array with numpy.save"),
    "pickle": (pickle.dumps([1.5]), "a pickle, which may run code when it is read"),
    "MATLAB": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB 5 file; save its array"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG picture; give an HDF5 file"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG picture; give an HDF5 file"),
    "zip": (zipped(), "a zip archive; unpack it first"),
    "gzip": (gzip.compress(b"x"), "packed by gzip; unpack it first"),
    "HTML": (
        b"\n<!DOCTYPE html><title>404</title>",
        "a web page, perhaps of an error; download it",
    ),
    "JSON": (b'{"message": "Not Found"}', "JSON; give an HDF5 file"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS, not the file"),
    "TFRecord": (b"\x08\0\0\0\0\0\0\0abcd\x0a\x06\x0a\x04abcdef", "a TFRecord; save its arrays"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_format_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "features.h5"
    content, what = OTHERS[name]
    path.write_bytes(content)
    assert said(open_features, path).startswith(f"is not an HDF5 file: it is {what}")


def test_whatever_is_not_known_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "features.h5"
    path.write_bytes(b"0 1 2 3 4")
    assert said(open_features, path) == (
        "is not an HDF5 file: it begins with b'0 1 2 3 '; write or download it again"
    )


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "features": ("a.h5", open_features),
    "HDF5 to prepare": ("a.h5", source),
    "NumPy to prepare": ("a.npy", source),
    "text": ("a.txt", read_text),
    "JSON": ("a.json", read_json),
    "a spec": ("a.toml", source_of),
    "a model": ("a.h5", lambda path: load_model(path)),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_is_not_waited_for(reader: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    os.mkfifo(tmp_path / name)
    assert said(read, tmp_path / name) == (
        "is a named pipe, where a file must be; give the path of the file"
    )


@pytest.mark.parametrize("reader", [r for r in READERS if r not in ("a spec", "a model")])
def test_a_folder_and_a_device_are_named(reader: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    (tmp_path / name).mkdir()
    assert said(read, tmp_path / name).startswith("is a folder, where a file must be")
    (tmp_path / name).rmdir()
    (tmp_path / name).symlink_to("/dev/zero")
    assert said(read, tmp_path / name).startswith("is a device, where a file must be")


@pytest.mark.parametrize("reader", [r for r in READERS if r not in ("text", "a spec", "a model")])
def test_an_empty_file_and_none_are_named(reader: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    (tmp_path / name).touch()
    assert said(read, tmp_path / name) == "is empty; write or download it again"
    (tmp_path / name).unlink()
    assert said(read, tmp_path / name) == "does not exist; write or download it"


def test_a_cut_file_says_how_much_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["features"] = np.ones((100, 10))
    whole = path.stat().st_size
    os.truncate(path, 3000)
    assert said(open_features, path) == (
        f"is cut short: it has 3,000 of its {whole:,} bytes; write or download it again"
    )


def test_a_cut_array_and_one_of_objects_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.ones((100, 4)))
    for size in (1000, 60):
        os.truncate(path, size)
        assert said(source, path) == (
            f"is cut short: it has {size:,} bytes, fewer than it declares; write or download it again"
        )
    np.save(path, np.array([{}], object))
    assert said(source, path).startswith("is a pickle, which may run code")
    np.save(path, np.array([(1, {})], [("number", int), ("other", object)]))
    assert said(source, path).startswith("has Python objects, which may run code")


def test_a_file_in_use_names_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["features"] = np.ones((3, 2))
    hold = f"import h5py; f = h5py.File({str(path)!r}, 'r+'); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        text = said(open_features, path)
        other.communicate(b"\n")
    assert text.startswith("is locked by ")
    assert text.endswith(
        "; wait until that is done with it, or set HDF5_USE_FILE_LOCKING=FALSE to read it all the same"
    )
    if sys.platform == "linux":
        assert f"process {other.pid} (python" in text


def test_too_many_open_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, VALUES)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fewest = max(map(int, os.listdir("/dev/fd"))) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (fewest, hard))
    taken = []
    try:
        while True:
            try:
                taken.append(os.open(path, os.O_RDONLY))
            except OSError:
                break
        text = said(source, path)
    finally:
        for number in taken:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert text.startswith(
        f"cannot be read: too many files are open (this process may have {fewest})"
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.EIO, "x"), "cannot be read: Input/output error; the disk or its connection"),
        (OSError("read failed: errno = 5, error message"), "cannot be read: Input/output error;"),
        (PermissionError(errno.EACCES, "x"), "cannot be read: permission denied; change its"),
        (MemoryError(), "cannot be read: there is not enough memory"),
        (OSError(errno.ENOLCK, "x"), "is on a file system without locks; set HDF5_USE_FILE_LOCK"),
        (OSError(errno.ESTALE, "x"), "cannot be read: Stale file handle; the disk"),
    ],
)
def test_what_the_system_says_goes_before_what_the_file_is(
    error: Exception, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"<html>")
    assert why(error, path, HDF5).startswith(f"{path} {text}")


def test_a_link_within_a_file_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as h5:
        h5["of/vgg"] = VALUES
        h5["features"] = h5py.SoftLink("of/vgg")
    np.testing.assert_array_equal(
        open_features(path).rows(np.array([1]), VALUES.dtype), [[1, 1, 1]]
    )
