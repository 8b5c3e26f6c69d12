"""Files of features as people have them."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from rnnkit.data.preparing import feature_source
from rnnkit.data.preparing.prepare import Prepared, prepare
from rnnkit.errors import DataError
from tests.datafolders import read_array

Rows = npt.NDArray[np.float32]

NAMES = ("v.1/a.jpg", "b.jpg", "c.d.jpg", "7.jpg")
FLAT: Rows = np.random.default_rng(3).normal(size=(4, 6)).astype(np.float32)
MAPS: Rows = np.random.default_rng(4).normal(size=(4, 3, 2, 2)).astype(np.float32)


def made(folder: Path, features: Path, **options: Any) -> Prepared:
    """A data folder of four images."""
    (folder / "captions.json").write_text(
        json.dumps(
            {
                "images": [{"id": 10 + i, "file_name": name} for i, name in enumerate(NAMES)],
                "annotations": [{"image_id": 10 + i, "caption": "A dog"} for i in range(4)],
            }
        )
    )
    return prepare(
        folder / "captions.json", features, folder / "out", val=0.0, min_count=1, **options
    )


def rows_of(folder: Path) -> dict[str, object]:
    """File name -> features, as the data folder has them."""
    names = (folder / "out" / "train_images.txt").read_text().splitlines()
    stored = read_array(folder / "out" / "features_train.h5", "features")
    return dict(zip(names, stored.tolist(), strict=True))


def wrong(folder: Path, features: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        made(folder, features, **options)
    assert not (folder / "out").exists()
    return str(caught.value)


def npy(folder: Path, values: Rows) -> Path:
    np.save(folder / "x.npy", values)
    return folder / "x.npy"


def npz(folder: Path, values: Rows) -> Path:
    np.savez(folder / "x.npz", features=values)
    return folder / "x.npz"


def packed(folder: Path, values: Rows) -> Path:
    np.savez_compressed(folder / "x.npz", values[::-1].T.copy().T, image_ids=[13, 12, 11, 10])
    with zipfile.ZipFile(folder / "x.npz") as archive:
        content = {
            name.replace("arr_0", "features"): archive.read(name) for name in archive.namelist()
        }
    with zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return folder / "x.npz"


def npz_of_one(folder: Path, values: Rows) -> Path:
    np.savez(folder / "x.npz", values)
    return folder / "x.npz"


def npz_by_name(folder: Path, values: Rows) -> Path:
    by_name: dict[str, Any] = dict(zip(NAMES, values, strict=True))
    np.savez(folder / "x.npz", **by_name)
    return folder / "x.npz"


def npz_by_id(folder: Path, values: Rows) -> Path:
    by_id: dict[str, Any] = {str(10 + i): row[None] for i, row in enumerate(values)}
    np.savez_compressed(folder / "x.npz", **by_id)
    return folder / "x.npz"


def folder_of_stems(folder: Path, values: Rows) -> Path:
    for name, row in zip(NAMES, values, strict=True):
        file = folder / "x" / Path(name).with_suffix(".npy")
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, row)
    return folder / "x"


def folder_of_names(folder: Path, values: Rows) -> Path:
    for name, row in zip(NAMES, values, strict=True):
        file = folder / "x" / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, row[None])
    return folder / "x"


def hdf5_by_name(folder: Path, values: Rows) -> Path:
    with h5py.File(folder / "x.h5", "w") as file:
        for name, row in zip(NAMES, values, strict=True):
            file[name] = row
    return folder / "x.h5"


def hdf5_by_id_in_a_group(folder: Path, values: Rows) -> Path:
    with h5py.File(folder / "x.h5", "w") as file:
        for i, row in enumerate(values):
            file[f"features/{10 + i}"] = row
    return folder / "x.h5"


ALL: list[Callable[[Path, Rows], Path]] = [
    npy,
    npz,
    packed,
    npz_of_one,
    npz_by_name,
    npz_by_id,
    folder_of_stems,
    folder_of_names,
    hdf5_by_name,
    hdf5_by_id_in_a_group,
]


@pytest.mark.parametrize("write", ALL)
@pytest.mark.parametrize("values", [FLAT, MAPS], ids=["flat", "maps"])
def test_every_form_gives_each_image_its_features(
    tmp_path: Path, write: Callable[[Path, Rows], Path], values: Rows
) -> None:
    layout = None if values.ndim == 2 else "chw"
    done = made(tmp_path, write(tmp_path, values), layout=layout)
    assert rows_of(tmp_path) == dict(zip(NAMES, values.tolist(), strict=True))
    assert (done.map is None) == (values.ndim == 2)


@pytest.mark.parametrize("write", [npz, packed, npz_by_name, folder_of_names, hdf5_by_name])
def test_features_are_read_in_blocks(
    tmp_path: Path, write: Callable[[Path, Rows], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_source, "BLOCK_BYTES", 2 * 6 * 4)
    made(tmp_path, write(tmp_path, FLAT), pca=2)
    raw = read_array(tmp_path / "out" / "features_raw_train.h5", "features")
    names = (tmp_path / "out" / "train_images.txt").read_text().splitlines()
    assert raw.tolist() == [FLAT[NAMES.index(name)].tolist() for name in names]


def test_a_dataset_may_have_another_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["pool5"], file["other"], file["ids"] = FLAT[::-1], np.zeros(3), [13, 12, 11, 10]
        file["each/10"], file["each/11"] = FLAT[0], FLAT[1]
    assert (
        "x.h5 has no dataset features; name the one with the features with --dataset; it has each, ids"
        in wrong(tmp_path, tmp_path / "x.h5")
    )
    assert "x.h5 has no dataset pool; name the one" in wrong(
        tmp_path, tmp_path / "x.h5", dataset="pool"
    )
    assert (
        "x.npz has no dataset pool; name the one with the features with --dataset; it has features"
        in wrong(tmp_path, npz(tmp_path, FLAT), dataset="pool")
    )
    made(tmp_path, tmp_path / "x.h5", dataset="pool5")
    assert rows_of(tmp_path) == dict(zip(NAMES, FLAT.tolist(), strict=True))
    (tmp_path / "out").rename(tmp_path / "rows")
    assert made(tmp_path, tmp_path / "x.h5", dataset="each").matched.featureless == NAMES[2:]


def test_arrays_that_are_unlike_are_named(tmp_path: Path) -> None:
    folder = folder_of_names(tmp_path, FLAT)
    np.save(folder / "c.d.jpg.npy", FLAT[2, :5])
    assert (
        f"{folder}: c.d.jpg is float32 (5,), but 7.jpg is float32 (1, 6); features of one kind are alike"
        in wrong(tmp_path, folder)
    )
    np.save(folder / "7.jpg.npy", np.arange(6))
    assert "7.jpg is int64 (6,), but must be the floating-point numbers of an image" in wrong(
        tmp_path, folder
    )
    path = npz(tmp_path, FLAT)
    path.write_bytes(path.read_bytes()[:-60])
    assert "x.npz is damaged" in wrong(tmp_path, path)
    (tmp_path / "empty").mkdir()
    assert "empty is a folder, where a file must be" in wrong(tmp_path, tmp_path / "empty")


def pickled(content: object, name: str, folder: Path) -> Path:
    """A pickle in a file, or in one of NumPy."""
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, np.array(content, dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(content, protocol=4))
    return path


@pytest.mark.parametrize("name", ["x.pkl", "x.npy", "x.h5"])
def test_a_pickle_is_refused_with_two_lines_that_turn_it_into_an_archive(
    tmp_path: Path, name: str
) -> None:
    by_id = {10 + i: row for i, row in enumerate(FLAT)}
    message = wrong(tmp_path, pickled(by_id, name, tmp_path)).splitlines()
    assert message[0].startswith(f"{tmp_path / name} is a pickle, which may run code")
    assert len(message) == 3
    script = "\n".join(line.strip() for line in message[1:])
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    made(tmp_path, tmp_path / "features.npz")
    assert rows_of(tmp_path) == dict(zip(NAMES, FLAT.tolist(), strict=True))


def test_a_pickled_array_becomes_a_numpy_file(tmp_path: Path) -> None:
    message = wrong(tmp_path, pickled(FLAT, "x.pkl", tmp_path)).splitlines()
    script = "\n".join(line.strip() for line in message[1:])
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    made(tmp_path, tmp_path / "features.npy")
    assert rows_of(tmp_path) == dict(zip(NAMES, FLAT.tolist(), strict=True))


def test_objects_in_an_archive_are_not_read(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.savez(file, features=np.array([{1: 2}], dtype=object))
    (tmp_path / "x.npz").write_bytes(file.getvalue())
    assert "x.npz: features is object (1,), but must be floating-point numbers" in wrong(
        tmp_path, tmp_path / "x.npz"
    )


@pytest.mark.parametrize(
    ("write", "old", "new"),
    [
        (npy, b"'fortran", b'"""\n ran'),
        (npy, b"NUMPY\x01", b"NUMPY\x09"),
        (npz, b"NUMPY\x01", b"NUMPY\x09"),
        (npz, b"PK\x01\x02", b"PK\x01\x03"),
        (npz, b"features.npy", b"featurex.npy"),
        (packed, b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff"),
    ],
)
def test_damaged_files_are_told(
    tmp_path: Path, write: Callable[[Path, Rows], Path], old: bytes, new: bytes
) -> None:
    path = write(tmp_path, FLAT)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    assert wrong(tmp_path, path).startswith(f"{path} is damaged (")
