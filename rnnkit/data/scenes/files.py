"""A data folder of scenes: written as a whole, or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import h5py
import numpy as np

from rnnkit.data.checksums import write_checksums
from rnnkit.data.photos.identity import identity_of
from rnnkit.data.photos.pca import PCA
from rnnkit.data.photos.pipeline import ImagePipeline, write_pipeline
from rnnkit.data.scenes.draw import draw
from rnnkit.data.scenes.features import features
from rnnkit.data.scenes.grammar import WORDS, choose_captions
from rnnkit.data.scenes.png import encode_png
from rnnkit.data.scenes.world import Object, Scene, Thing, random_scenes, split_combinations
from rnnkit.data.texts import read_text
from rnnkit.data.vocabulary import END, NULL, START, UNKNOWN, Vocabulary
from rnnkit.errors import DataError
from rnnkit.kinds import Encoder
from rnnkit.kinds.arrays import Array
from rnnkit.spec import load_plugin
from rnnkit.system.hdf5 import store
from rnnkit.system.limits import MOST_PICTURES

_HELD_OUT = 0.1  # of all combinations, for val
_ALONE = 0.08  # of the pictures show one object only
_BLOCK = 100  # pictures drawn at a time
_CHUNK = 64  # rows of features in a chunk of the file


def write_scenes(
    folder: str | Path,
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
    attributes `mean` and `std` (F,) of the dataset; `encoder.json` and `pca.h5` say the same of how features come
    from photos. Equal arguments write equal bytes.

    Args:
        folder: must not exist, or be empty.
        train: number of pictures, at most 100,000.
        val: the same of the other split.
        seed: decides what is drawn; the pictures of val do not depend on `train`.
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
        if name != "seed" and value > MOST_PICTURES:
            raise DataError(
                f"cannot write scenes with {name} = {value:,}; it must be at most {MOST_PICTURES:,}"
            )
    # A name of its own, hidden, on the same file system, so that one move puts everything in place.
    folder = Path(folder).absolute()
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        _refuse_to_overwrite(folder)
        part.mkdir(parents=True)
        try:
            _write(part, {"train": train, "val": val}, seed, progress or (lambda done: None))
            write_checksums(part)
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


def load_scenes(folder: str | Path, split: str) -> list[Scene]:
    """What the pictures of a split show, in the order of its features.

    Raises:
        DataError: the folder has no such file (it is not one of `write_scenes`), or a damaged one.
    """
    path = Path(folder) / f"scenes_{split}.json"
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
    combinations = split_combinations(np.random.default_rng([seed, 0]), _HELD_OUT)
    total, done = sum(counts.values()), 0
    captions: dict[str, list[tuple[int, str]]] = {}
    described: dict[str, Array] = {}
    for stream, (split, n) in enumerate(counts.items()):
        rng = np.random.default_rng([seed, 1 + stream])
        scenes = list(random_scenes(n, combinations[stream], _ALONE, rng))
        captions[split] = [(i, c) for i, s in enumerate(scenes) for c in choose_captions(s, rng)]
        names = [f"{i:05}.png" for i in range(n)]
        _write_json(folder / f"scenes_{split}.json", _ground_truth(names, scenes))
        _write_json(folder / f"captions_{split}.json", _annotations(names, captions[split]))
        listing = "".join(f"{split}/{name}\n" for name in names)
        (folder / f"{split}_images.txt").write_bytes(listing.encode())

        pictures = folder / "images" / split
        pictures.mkdir(parents=True)
        blocks = []
        for first in range(0, n, _BLOCK):
            pixels = draw(scenes[first : first + _BLOCK], rng)
            for name, picture in zip(names[first : first + _BLOCK], pixels, strict=True):
                (pictures / name).write_bytes(encode_png(picture))
            blocks.append(features(pixels))
            done += len(pixels)
            progress(done / total)
        described[split] = np.concatenate(blocks)
    _write_captions(folder, captions)
    _write_features(folder, described)


def _ground_truth(names: Sequence[str], scenes: Sequence[Scene]) -> object:
    return [
        {
            "file_name": name,
            "objects": [
                {**attrs.asdict(o.thing), "x": o.x, "y": o.y, "radius": o.radius, "turn": o.turn}
                for o in scene.objects
            ],
        }
        for name, scene in zip(names, scenes, strict=True)
    ]


def _object(
    size: str, colour: str, shape: str, x: float, y: float, radius: float, turn: float
) -> Object:
    return Object(Thing(size, colour, shape), float(x), float(y), float(radius), float(turn))


def _annotations(names: Sequence[str], captions: Sequence[tuple[int, str]]) -> object:
    return {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [
            {"id": k, "image_id": image, "caption": caption}
            for k, (image, caption) in enumerate(captions)
        ],
    }


def _write_captions(folder: Path, captions: Mapping[str, Sequence[tuple[int, str]]]) -> None:
    vocabulary = Vocabulary.from_words([NULL, START, END, UNKNOWN, *WORDS])
    tokens = {word: token for token, word in enumerate(vocabulary.words)}
    _write_json(
        folder / "vocab.json", {"idx_to_word": list(vocabulary.words), "word_to_idx": tokens}
    )
    length = 2 + max(len(c.split()) for pairs in captions.values() for _, c in pairs)
    with _hdf5(folder / "captions.h5") as file:
        for split, pairs in captions.items():
            rows = np.stack([vocabulary.encode(caption, length) for _, caption in pairs])
            store(file, f"{split}_captions", rows)
            store(file, f"{split}_image_idxs", np.array([image for image, _ in pairs], np.int32))


def _write_features(folder: Path, described: Mapping[str, Array]) -> None:
    mean = described["train"].mean(axis=0, dtype=np.float64)
    std = described["train"].std(axis=0, dtype=np.float64)
    std = np.where(std > 1e-6, std, 1.0)
    for split, raw in described.items():
        rows = ((raw - mean) / std).astype(np.float32)
        with _hdf5(folder / f"features_{split}.h5") as file:
            chunks = (min(_CHUNK, len(rows)), rows.shape[1])
            dataset = store(file, "features", rows, chunks)
            dataset.attrs.update(mean=mean, std=std)
    identity = identity_of(load_plugin(Encoder, "scenes"))
    write_pipeline(folder, ImagePipeline(identity, PCA(mean, np.diag(1 / std), 1.0)))


@contextlib.contextmanager
def _hdf5(path: Path) -> Iterator[h5py.File]:
    """A file made in memory and then written at once, so that a full disk is an OSError like any other."""
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        yield file
    path.write_bytes(image.getvalue())


def _write_json(path: Path, content: object) -> None:
    path.write_bytes(json.dumps(content).encode())
