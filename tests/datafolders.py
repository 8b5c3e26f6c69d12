"""Small valid data folders for tests, in both layouts, and the means to spoil them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from rnnkit.data.scenes import write_scenes

WORDS = ("<NULL>", "<START>", "<END>", "<UNK>", "a", "red", "circle", "above", "blue", "square")


def write_data_folder(
    folder: Path,
    *,
    assignment: bool = False,
    splits: Sequence[str] = ("train", "val"),
    images: int = 4,
    captions_each: int = 3,
    length: int = 8,
    width: int = 6,
    words: Sequence[str] = WORDS,
    raw: bool = False,
    compression: str | None = None,
    seed: int = 0,
) -> Path:
    """Write a folder of random captions and features; `words` start with the four special ones.

    Args:
        folder: made if it is not there.
        assignment: use the assignment's file names.
        splits: to write, all of the same sizes.
        images: in each split.
        captions_each: captions of each image, which come one after the other.
        length: T, of 1 to T - 2 random words each.
        width: of the features, float32; the raw ones are float16 and twice as wide.
        words: the vocabulary.
        raw: also write the raw features.
        compression: of all datasets, such as gzip.
        seed: equal seeds write equal folders.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    prefix, year = ("coco2014_", "2014") if assignment else ("", "")
    n = images * captions_each
    with h5py.File(folder / f"{prefix}captions.h5", "w") as file:
        for split in splits:
            captions = np.zeros((n, length), np.int32)
            for row in captions:
                k = int(rng.integers(1, length - 1))
                row[0], row[1 : k + 1], row[k + 1] = 1, rng.integers(3, len(words), k), 2
            idxs = np.repeat(np.arange(images, dtype=np.int32), captions_each)
            file.create_dataset(f"{split}_captions", data=captions, compression=compression)
            file.create_dataset(f"{split}_image_idxs", data=idxs, compression=compression)
    kinds = {"pca": np.float32, "raw": np.float16} if raw else {"pca": np.float32}
    for split in splits:
        for kind, dtype in kinds.items():
            values = rng.standard_normal((images, width * (2 if kind == "raw" else 1)))
            with h5py.File(features_path(folder, split, raw=kind == "raw"), "w") as file:
                file.create_dataset("features", data=values.astype(dtype), compression=compression)
    tokens = {word: token for token, word in enumerate(words)}
    (folder / f"{prefix}vocab.json").write_text(
        json.dumps({"idx_to_word": list(words), "word_to_idx": tokens}), encoding="utf-8"
    )
    for split in splits:
        names = [f"{split}{image}.png" for image in range(images)]
        (folder / f"{split}{year}_urls.txt").write_text(
            "".join(f"https://example.org/{name}\n" for name in names), encoding="utf-8"
        )
        (folder / f"{split}{year}_images.txt").write_text("\n".join(names), encoding="utf-8")
    return folder


def write_coco_mini(folder: Path) -> Path:
    """Write a folder in the form of COCO-mini: its layout, widths and types, of scenes instead of photographs."""
    write_scenes(folder, train=889, val=100, seed=1)
    for name in ("captions.h5", "vocab.json"):
        (folder / name).rename(folder / f"coco2014_{name}")
    for name in ("encoder.json", "pca.h5"):  # these features are of no encoder
        (folder / name).unlink()
    rng = np.random.default_rng(1)
    mixings = [rng.standard_normal((78, width)) / np.sqrt(78) for width in (512, 1280)]
    for split in ("train", "val"):
        file = folder / f"features_{split}.h5"
        scenes = read_array(file, "features").astype(float)
        file.unlink()
        for raw, mixing in enumerate(mixings):
            values = (scenes @ mixing).astype(np.float16 if raw else np.float32)
            put(features_path(folder, split, raw=bool(raw)), "features", values)
        images = (folder / f"{split}_images.txt").rename(folder / f"{split}2014_images.txt")
        urls = [f"https://example.org/{name}\n" for name in images.read_text().splitlines()]
        (folder / f"{split}2014_urls.txt").write_text("".join(urls))
    return folder


def captions_path(folder: Path) -> Path:
    """The captions file of a folder in either layout."""
    assignment = folder / "coco2014_captions.h5"
    return assignment if assignment.exists() else folder / "captions.h5"


def features_path(folder: Path, split: str, *, raw: bool = False) -> Path:
    """The features file of a split, whose captions file must be there."""
    if captions_path(folder).name == "captions.h5":
        return folder / (f"features_raw_{split}.h5" if raw else f"features_{split}.h5")
    return folder / f"{split}2014_vgg16_fc7{'' if raw else '_pca'}.h5"


def read_array(path: Path, name: str) -> npt.NDArray[np.generic]:
    """A dataset, by h5py alone."""
    with h5py.File(path, "r") as file:
        values: npt.NDArray[np.generic] = file[name][()]
    return values


def put(path: Path, name: str, values: npt.ArrayLike | None) -> None:
    """Replace, add or (None) remove a dataset."""
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        if values is not None:
            file[name] = values


def put_at(path: Path, name: str, index: tuple[int, ...], value: float) -> None:
    """Overwrite one value of a dataset."""
    with h5py.File(path, "r+") as file:
        file[name][index] = value


def into_shards(path: Path, *rows: int) -> list[Path]:
    """Replace a features file by shards with so many rows each."""
    with h5py.File(path, "r") as file:
        values, storage = file["features"][()], file["features"].compression
    assert sum(rows) == len(values)
    path.unlink()
    paths = [path.with_name(f"{path.stem}-{k:05}-of-{len(rows):05}.h5") for k in range(len(rows))]
    for shard, part in zip(paths, np.split(values, np.cumsum(rows)[:-1]), strict=True):
        with h5py.File(shard, "w") as file:
            file.create_dataset("features", data=part, compression=storage)
    return paths
