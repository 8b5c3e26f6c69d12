"""Which form a file of features is of."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from rnnkit.data.features.reading import open_hdf5
from rnnkit.data.preparing.feature_files.file import FeatureFile
from rnnkit.data.preparing.feature_files.hdf5 import open_datasets
from rnnkit.data.preparing.feature_files.npy import open_folder, open_npy
from rnnkit.data.preparing.feature_files.npz import open_npz
from rnnkit.data.preparing.feature_files.pickled import refuse_pickle


def open_file(
    path: Path, layout: str | None, dataset: str | None, opened: ExitStack
) -> FeatureFile:
    """A file of features, open as long as the stack: a folder of .npy files, .npy, .npz, or else HDF5.

    Raises:
        DataError: it is not what its name says, or has other values than features.
    """
    if path.is_dir():
        return open_folder(path, layout)
    refuse_pickle(path)
    if path.suffix == ".npy":
        return open_npy(path, layout)
    if path.suffix == ".npz":
        return open_npz(path, layout, dataset, opened)
    return open_datasets(path, opened.enter_context(open_hdf5(path)), layout, dataset)
