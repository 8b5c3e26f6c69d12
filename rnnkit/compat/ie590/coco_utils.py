"""Data as the assignment has it: one dict of arrays, lists and dicts."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import numpy.typing as npt

from rnnkit.data.features import find_files
from rnnkit.data.features.reading import names_in, open_hdf5, reading
from rnnkit.data.layout import ASSIGNMENT, DATA_FOLDER, Layout
from rnnkit.data.texts import read_text
from rnnkit.data.vocabulary import END, NULL, read_vocabulary
from rnnkit.kinds import Array, Ints
from rnnkit.system.hdf5 import take
from rnnkit.system.why import Refused

__all__ = ["decode_captions", "load_coco_data", "sample_coco_minibatch"]

Data: TypeAlias = dict[str, Any]
Texts: TypeAlias = npt.NDArray[np.str_]

SPLITS = ("train", "val")


def load_coco_data(
    base_dir: str | Path = "ie590/datasets/coco_captioning",
    max_train: int | None = None,
    pca_features: bool = True,
) -> Data:
    """Read a folder in the assignment's layout, or a data folder of rnnkit.

    Args:
        base_dir: the folder.
        max_train: draw this many training captions, with replacement, from NumPy's global generator; features and
            addresses stay whole.
        pca_features: whether to read the features after PCA, rather than before.

    Returns:
        Every dataset of the captions file by its name, `train_features`, `val_features`, every key of the vocabulary
        file, `train_urls` and `val_urls`.

    Raises:
        DataError: a file is missing or damaged.
    """
    folder = Path(base_dir)
    layout = DATA_FOLDER if (folder / DATA_FOLDER.captions).exists() else ASSIGNMENT
    features = layout.features if pca_features else layout.raw_features
    data: Data = _read_hdf5(folder / layout.captions)
    for split in SPLITS:
        name = features.format(split)
        files = find_files(folder, name, os.listdir(folder)) or [folder / name]
        parts = [_read_hdf5(file)["features"] for file in files]
        data[f"{split}_features"] = parts[0] if len(parts) == 1 else np.concatenate(parts)
    read_vocabulary(folder / layout.vocabulary)  # says what is wrong with it
    data |= json.loads(read_text(folder / layout.vocabulary))
    for split in SPLITS:
        data[f"{split}_urls"] = _read_urls(folder, layout, split)
    if max_train is not None:
        chosen = np.random.randint(len(data["train_captions"]), size=max_train)
        for name in ("train_captions", _image_idxs(data, "train")):
            data[name] = data[name][chosen]
    return data


def sample_coco_minibatch(
    data: Data, batch_size: int = 100, split: str = "train"
) -> tuple[Ints, Array, Texts]:
    """Captions drawn with replacement from NumPy's global generator.

    Returns:
        (captions, features, urls): (batch_size, T), (batch_size, D) and (batch_size,), those of one row belonging
        together.
    """
    captions = data[f"{split}_captions"]
    chosen = np.random.choice(len(captions), batch_size)
    images = data[_image_idxs(data, split)][chosen]
    return captions[chosen], data[f"{split}_features"][images], data[f"{split}_urls"][images]


def decode_captions(captions: Ints, idx_to_word: Sequence[str]) -> str | list[str]:
    """The words of tokens (T,), or a list of them for each row of (N, T): without `<NULL>`, with `<START>`, up to
    and with the first `<END>`.
    """
    if captions.ndim == 1:
        return _decode(captions, idx_to_word)
    return [_decode(row, idx_to_word) for row in captions]


def _decode(tokens: Ints, idx_to_word: Sequence[str]) -> str:
    words = []
    for token in tokens.tolist():
        word = idx_to_word[token]
        if word != NULL:
            words.append(word)
        if word == END:
            break
    return " ".join(words)


def _image_idxs(data: Data, split: str) -> str:
    """The key of the images' numbers: both spellings are met."""
    usual = f"{split}_image_idxs"
    return usual if usual in data else f"{split}_image_idxes"


def _read_hdf5(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Every dataset of a file, in alphabetical order."""
    with open_hdf5(path) as file, reading(path):
        found = {name: take(file, name) for name in sorted(names_in(file))}
        for name, dataset in found.items():
            if not isinstance(dataset, h5py.Dataset):
                raise Refused(f"has {name} as something else than a dataset; download it again")
        return {name: dataset[()] for name, dataset in found.items()}


def _read_urls(folder: Path, layout: Layout, split: str) -> Texts:
    """Where to see each picture: its address, or its path if the folder has the pictures themselves."""
    images, urls = folder / layout.images.format(split), folder / layout.urls.format(split)
    pictures = folder / "images"
    held = images.exists() and pictures.is_dir()
    lines = [line.strip() for line in read_text(images if held else urls).splitlines()]
    return np.array([str(pictures / line) for line in lines] if held else lines)
