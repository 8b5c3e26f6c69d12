"""Nothing is read that does not stand in its file: in each of HDF5's ways to point elsewhere, for each kind of file."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import h5py
import numpy as np
import pytest

import rnnkit
from rnnkit.compat.ie590.coco_utils import load_coco_data
from rnnkit.data import open_data
from rnnkit.data.features import open_features
from rnnkit.data.photos.pca import PCA, read_pca, write_pca
from rnnkit.data.preparing.feature_source import open_source
from rnnkit.errors import CheckpointError, DataError
from rnnkit.network.checkpoint import load_model

SECRET = 7.0


def virtual(h5: Any, name: str, shape: tuple[int, ...], dtype: Any, source: str, of: str) -> None:
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource(source, of, shape)
    h5.create_virtual_dataset(name, layout)


def filtered(h5: Any, name: str, shape: tuple[int, ...], dtype: Any, number: int) -> None:
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk(shape)
    settings.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple(shape)
    h5py.h5d.create(h5.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype)), space, settings)


def point(h5: Any, name: str, how: str, others: Path) -> None:
    """Have a dataset of numbers point elsewhere, which would have the same shape and type there."""
    old = h5[name]
    shape, dtype = old.shape, old.dtype
    del h5[name]
    secret, other = str(others / "secret"), str(others / "other.h5")
    np.full(shape, SECRET, dtype).tofile(secret)
    with h5py.File(other, "w") as file:
        file["there"] = np.full(shape, SECRET, dtype)
    match how:
        case "external storage":
            size = dtype.itemsize * int(np.prod(shape))
            h5.create_dataset(name, shape, dtype, external=[(secret, 0, size)])
        case "external link":
            h5[name] = h5py.ExternalLink(other, "there")
        case "soft link over an external one":
            h5["out"] = h5py.ExternalLink(other, "/")
            h5[name] = h5py.SoftLink("/out/there")
        case "soft link to nothing":
            h5[name] = h5py.SoftLink("/nothing")
        case "soft link to itself":
            h5[name] = h5py.SoftLink(f"/{name}")
        case "virtual of another file":
            virtual(h5, name, shape, dtype, other, "there")
        case "virtual of nothing":
            virtual(h5, name, shape, dtype, f"{other}.gone", "there")
        case "virtual of itself":
            virtual(h5, name, shape, dtype, ".", name)
        case "object references":
            h5[name] = np.array([h5.ref] * shape[0], h5py.ref_dtype)
        case "region references":
            region = h5.create_dataset("region", data=np.ones(3)).regionref[:2]
            h5.create_dataset(name, data=[region] * shape[0], dtype=h5py.regionref_dtype)
        case "foreign filter":
            filtered(h5, name, shape, dtype, 32015)
        case "filter of one's own":
            filtered(h5, name, shape, dtype, 300)
        case "chunks missing":
            h5.create_dataset(name, (2 * shape[0], *shape[1:]), dtype, chunks=shape)[: shape[0]] = 1
        case "nothing written":
            h5.create_dataset(name, shape, dtype)
        case "committed type":
            h5[name] = np.dtype(dtype)


WAYS = {
    "external storage": "has the values of {} in another file (",
    "external link": "has {} as a link to another file, which is not read",
    "soft link over an external one": "as a link to another file",
    "soft link to nothing": "nothing",
    "soft link to itself": "has the link /{}, which leads back to itself",
    "virtual of another file": "has {} as a virtual dataset",
    "virtual of nothing": "has {} as a virtual dataset",
    "virtual of itself": "has {} as a virtual dataset",
    "object references": "has references as the values of {}",
    "region references": "has references as the values of {}",
    "foreign filter": "has {} packed by the filter 32015",
    "filter of one's own": "has {} packed by the filter 300",
    "chunks missing": "is half written: {} has 1 of its 2 pieces",
    "nothing written": "is half written: {} has no values",
    "committed type": "{}",
}


@attrs.frozen
class Reader:
    """A kind of file: which, in a copy of what; the dataset that points elsewhere; and what reads it.

    Attributes:
        of: data, run or alone.
    """

    of: str
    file: str
    name: str
    read: Callable[[Path], object]


def source(path: Path) -> None:
    with open_source([path]):
        pass


def folder(path: Path) -> None:
    with open_data(path.parent) as data:
        data.check()


READERS = {
    "features": Reader("data", "features_val.h5", "features", lambda p: open_features(p).rows(np.array([1]), np.dtype("f4"))),
    "features of a data folder": Reader("data", "features_val.h5", "features", folder),
    "captions of a data folder": Reader("data", "captions.h5", "val_captions", folder),
    "images of a data folder": Reader("data", "captions.h5", "train_image_idxs", folder),
    "features to prepare": Reader("data", "features_val.h5", "features", source),
    "captions by the course's reader": Reader("data", "coco2014_captions.h5", "train_captions", lambda p: load_coco_data(str(p.parent), pca_features=True)),
    "a PCA": Reader("alone", "pca.h5", "components", read_pca),
    "a model": Reader("run", "best.h5", "parameters/head.0.W", load_model),
    "a checkpoint": Reader("run", "last.h5", "extra/head.0.W:m", lambda p: rnnkit.train(resume=p.parent, overrides=["train.epochs=9"])),
}  # fmt: skip


def sealed(file: Path) -> None:
    """Give a model file the digest that it would have if rnnkit had written it so."""
    data = bytearray(file.read_bytes())
    mark = bytes(data[:512]).rstrip(b"\0")
    digest = hashlib.blake2b(data[512:]).hexdigest().encode()
    data[: len(mark)] = mark[: -len(digest)] + digest
    file.write_bytes(data)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", READERS)
def test_what_points_elsewhere_is_not_read_and_named(
    kind: str, way: str, tiny_data: Path, small_run: Path, tmp_path: Path
) -> None:
    reader = READERS[kind]
    path = tmp_path / "copy" / reader.file
    if reader.file.startswith("coco2014"):
        from tests.datafolders import write_data_folder

        write_data_folder(path.parent, assignment=True)
    elif reader.of == "alone":
        path.parent.mkdir()
        write_pca(path, PCA(np.zeros(4, "f4"), np.ones((2, 4), "f4"), 1.0))
    else:
        shutil.copytree(tiny_data if reader.of == "data" else small_run, path.parent)
    with h5py.File(path, "r+") as h5:
        point(h5, reader.name, way, tmp_path)
    if reader.of == "run":
        sealed(path)
        (path.parent / "previous.h5").unlink(missing_ok=True)
    with pytest.raises((DataError, CheckpointError)) as caught:
        reader.read(path)
    said = str(caught.value)
    assert "\n" not in said
    assert str(path) in said
    name = reader.name.rpartition("/")[2]
    full = reader.name if way == "soft link to itself" else name
    assert WAYS[way].format(full) in said
