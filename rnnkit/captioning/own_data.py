"""The data that a network is judged on: a folder that is named, or else the one it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from rnnkit.captioning.ensemble import Ensemble
from rnnkit.captioning.images import check_fits
from rnnkit.data import Dataset, open_data
from rnnkit.data.seen import own_folder
from rnnkit.errors import DataError, RnnkitError
from rnnkit.kinds import Array
from rnnkit.network.model import Captioner


def data_of(writer: Captioner | Ensemble, data: str | Path | None) -> str | Path:
    """The folder that is named, or else that of the network, or of the first of several.

    Raises:
        DataError: neither is known.
    """
    first = writer.models[0] if isinstance(writer, Ensemble) else writer
    folder = data or own_folder(first.spec.data.path, first.seen)
    if folder is None:
        raise DataError("the model names no data folder; name a folder with --data")
    return folder


@contextmanager
def opened_for(
    writer: Captioner | Ensemble, data: str | Path | None, note: Callable[[str], None]
) -> Iterator[Dataset]:
    """The data to judge a network on, open.

    A folder that is named may have other images than those that the network was trained on, and so other
    features. The network's own folder may not: if its features have changed since, numbers mean nothing.

    Args:
        writer: the network, or several.
        data: the folder that is named, if one is.
        note: called with a sentence if the folder that is named is the network's own, and has changed.

    Raises:
        DataError: the folder cannot be read; or it is the network's own and has changed, and is not named.
    """
    folder = data_of(writer, data)
    models = writer.models if isinstance(writer, Ensemble) else (writer,)
    with open_data(folder, raw=writer.spec.data.raw) as dataset:
        for model in models:
            if model.seen is None or not (data is None or model.seen.is_of(folder)):
                continue
            other = model.seen.other(dataset)
            if other is None:
                continue
            text = f"{other} in {folder} are not those that the model was trained on"
            if data is None:
                raise DataError(
                    f"{text}; give the data it was trained on, or name this folder with --data to use it "
                    "all the same"
                )
            note(text)
        yield dataset


SOME: Final = 16
"""Images that something is tried on."""


def some_features(
    writer: Captioner, data: str | Path | None, note: Callable[[str], None]
) -> Array | None:
    """The features of the first images of a folder, to try something on that does not need them.

    Args:
        writer: the network.
        data: the folder that is named, if one is; else the network's own, if it can be had.
        note: called with a sentence if it cannot.

    Returns:
        (n, F); None without data.

    Raises:
        DataError: the folder that is named cannot be read, or does not fit the network.
    """
    try:
        with opened_for(writer, data, note) as dataset:
            check_fits(writer, dataset)
            split = next(iter(dataset.splits.values()))
            return split.features.rows(np.arange(min(SOME, len(split.features))), writer.dtype)
    except RnnkitError as e:
        if data is not None:
            raise
        note(f"no data to compare on but random numbers: {e}")
        return None
