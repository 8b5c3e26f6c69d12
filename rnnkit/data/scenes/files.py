"""A data folder of scenes: written as a whole, or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from rnnkit.data.scenes.grammar import WORDS, choose_captions
from rnnkit.data.scenes.world import Scene, random_scenes, split_combinations
from rnnkit.data.vocabulary import END, NULL, START, UNKNOWN, Vocabulary, read_text
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array

_HELD_OUT = 0.1  # of all combinations, for val
_ALONE = 0.08  # of the pictures show one object only
_BLOCK = 100  # pictures drawn at a time
_CHUNK = 64  # rows of features in a chunk of the file


def write_scenes(
    folder: Path,
    *,
    train: int = 4000,
    val: int = 500,
    seed: int = 231,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Generate scenes and write them as a data folder.

    Beside the captions, features and vocabulary of every data folder there are, for each split, the pictures
    (`images/train/00000.png`, row 0 of the features), their list (`train_images.txt`), the captions in COCO's
    annotation form (`captions_train.json`) and what each picture shows (`scenes_train.json`). The
    features are standardized with the mean and standard deviation of train, which both feature files keep as
    attributes `mean` and `std` (F,) of the dataset. Equal arguments write equal bytes.

    Args:
        folder: must not exist, or be empty.
        train, val: number of pictures.
        seed: what is drawn depends on it, val on nothing else.
        progress: is told the share that is done, 0 to 1.

    Raises:
        DataError: the folder exists and is not empty, cannot be written, or an argument is out of range.
            Then nothing of it is left behind.
    """
    for name, value, least in (("train", train, 1), ("val", val, 1), ("seed", seed, 0)):
        if value < least:
            raise DataError(
                f"cannot write scenes with {name} = {value}; it must be at least {least}"
            )
    # A name of its own, hidden, on the same file system, so that one move puts everything in place.
    folder = folder.absolute()
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        _refuse_to_overwrite(folder)
        part.mkdir(parents=True)
        try:
            _write(part, {"train": train, "val": val}, seed, progress or (lambda done: None))
            if folder.exists():
                folder.rmdir()
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as e:
        raise DataError(
            f"cannot write the scenes to {folder}: {e.strerror or e}; make room there, or name "
            "another folder"
        ) from e


def load_scenes(folder: Path, split: str) -> list[Scene]:
    """What the pictures of a split show, in the order of its features.

    Raises:
        DataError: the folder has no such file (it is not one of `write_scenes`), or a damaged one.
    """
    path = folder / f"scenes_{split}.json"
    try:
        return [
            Scene(tuple(_object(**o) for o in picture["objects"]))
            for picture in json.loads(read_text(path))
        ]
    except (ValueError, TypeError, KeyError, RecursionError) as e:
        raise DataError(f"{path} is not a list of scenes ({e}); write the folder again") from e


def _refuse_to_overwrite(folder: Path) -> None:
    if folder.is_dir():
        if any(folder.iterdir()):
            raise DataError(f"{folder} exists and is not empty; name a new folder, or delete it")
    elif os.path.lexists(folder):
        raise DataError(f"{folder} exists and is not a folder; name a new folder")


def _write(
    folder: Path, counts: Mapping[str, int], seed: int, progress: Callable[[float], None]
) -> None:
    vocabulary = Vocabulary.from_words([NULL, START, END, UNKNOWN, *WORDS])
    combinations = split_combinations(np.random.default_rng([seed, 0]), _HELD_OUT)
    raw: dict[str, Array] = {}
    captions: dict[str, list[tuple[int, str]]] = {}
    done = 0
    for stream, (split, count) in enumerate(counts.items(), start=1):
        rng = np.random.default_rng([seed, stream])
        scenes = list(random_scenes(count, combinations[stream - 1], _ALONE, rng))
        captions[split] = [
            (i, c) for i, scene in enumerate(scenes) for c in choose_captions(scene, rng)
        ]
        names = [f"{i:05}.png" for i in range(count)]
        _write_json(folder / f"scenes_{split}.json", _ground_truth(names, scenes))
        _write_json(folder / f"captions_{split}.json", _annotations(names, captions[split]))
        _write_text(folder / f"{split}_images.txt", "".join(f"{split}/{name}\n" for name in names))
        (folder / "images" / split).mkdir(parents=True)
        described = []
        for block in _pictures(folder / "images" / split, names, scenes, rng):
            described.append(block)
            done += len(block)
            progress(done / sum(counts.values()))
        raw[split] = np.concatenate(described)
