"""HDF5 files: a dataset with the features of all images, or one for each image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rnnkit.data.annotations import ImageId
from rnnkit.data.features.maps import LAST, said_in
from rnnkit.data.features.reading import find_dataset, names_in, reading
from rnnkit.data.preparing.feature_files.file import (
    FEATURES,
    IDS,
    FeatureFile,
    ids_of_rows,
    map_layout,
    no_features,
    one_by_one,
)
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array
from rnnkit.system.hdf5 import take


def open_datasets(path: Path, file: Any, layout: str | None, dataset: str | None) -> FeatureFile:
    """What an open file has: the dataset `features`, or as the user says, or one for each image.

    What the user names may be a group, too, that has a dataset for each image.
    """
    wanted = dataset or FEATURES
    with reading(path):
        try:
            found = take(file, wanted)
        except KeyError:
            found = None if dataset is not None else file
        names = [] if found is None or isinstance(found, h5py.Dataset) else [*_datasets(found, "")]
    if isinstance(found, h5py.Dataset):
        return _rows(path, file, wanted, layout)
    single = len(names) == 1 and len(found[names[0]].shape) > 1
    if not names or single or {*names} & {*IDS}:
        raise no_features(path, wanted, names_in(file))

    def open_one(name: str) -> Any:
        with reading(path):
            return take(found, name)

    return one_by_one(path, names, open_one, layout)


def _datasets(group: Any, before: str) -> Iterator[str]:
    """The names of all datasets, also those in groups: HDF5 makes groups of the slashes of a name."""
    for name in names_in(group):
        found = take(group, name)
        if isinstance(found, h5py.Dataset):
            yield f"{before}{name}"
        else:
            yield from _datasets(found, f"{before}{name}/")


def _rows(path: Path, file: Any, name: str, layout: str | None) -> FeatureFile:
    values = find_dataset(file, path, (name,), np.floating, ("images", "width"), True)

    def read(first: int, last: int) -> Array:
        with reading(path):
            block: Array = values[first:last]
        return block

    def read_ids() -> list[ImageId] | None:
        if ids is None:
            return None
        with reading(path):
            return ids_of_rows(path, ids, take(file, ids), len(values))

    with reading(path):
        ids = next((name for name in IDS if file.id.links.exists(name.encode())), None)
        said = said_in(values)
    if None not in (layout, said) and (layout in LAST) != (said in LAST):
        raise DataError(
            f"{path} says that its layout is {said}, but --layout says {layout}; leave that out"
        )
    found = map_layout(path, values.shape[1:], said or layout)
    return FeatureFile(path, values.shape, values.dtype, found, read, read_ids, ids)
