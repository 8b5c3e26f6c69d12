"""Which images are for training, and which for validation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnnkit.data.annotations import AnnotatedImage
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.form import picture_name
from rnnkit.data.texts import read_text
from rnnkit.errors import DataError, quoted

HELD_OUT = 0.1
"""The share of the images that is for validation if nobody says anything."""

PARTS_OF_TRAIN = ("train", "restval")
"""Karpathy's splits of COCO call what is left of its val restval, and everyone trains on it."""


def choose_splits(
    images: Sequence[AnnotatedImage], path: Path, val: float | Path | None, seed: int
) -> list[str]:
    """The name of the split of each image; one is train.

    Args:
        images: all of them with captions and features.
        path: the file they are from.
        val: a share of the images, 0 to below 1, drawn at random; or a file with the file name of an image of
            val in each line; or None for what the images' `split` says, and 0.1 if they say nothing.
        seed: decides what is drawn.

    Raises:
        DataError: `val` is out of range, or names an unknown image; some images say a split and others do not;
            or nothing is left to train on.
    """
    if isinstance(val, Path):
        names = _listed(images, val)
    elif val is None and any(image.split is not None for image in images):
        names = _said(images, path)
    else:
        names = _drawn(len(images), HELD_OUT if val is None else val, seed)
    if "train" not in names:
        raise DataError(
            f"none of the {len(images)} images with captions and features is in train, so there is nothing "
            "to train on"
        )
    return names


def _drawn(images: int, share: float, seed: int) -> list[str]:
    if not 0 <= share < 1:
        raise DataError(f"val is {share:g}, but must be a share of the images: at least 0, below 1")
    names = np.full(images, "train", dtype=object)
    count = max(1, round(share * images)) if share else 0
    names[np.random.default_rng(seed).permutation(images)[:count]] = "val"
    return [str(name) for name in names]


def _listed(images: Sequence[AnnotatedImage], path: Path) -> list[str]:
    known = {image.file_name for image in images}
    mistakes = Mistakes(path)
    listed = set()
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        name = picture_name(line)
        if name and name not in known:
            mistakes.add(
                f"line {number}",
                f"no image with captions and features has the file name {quoted(name)}",
            )
        listed.add(name)
    mistakes.tell()
    return ["val" if image.file_name in listed else "train" for image in images]


def _said(images: Sequence[AnnotatedImage], path: Path) -> list[str]:
    names = []
    mistakes = Mistakes(path)
    for image in images:
        name = image.split
        if name is None:
            mistakes.add(
                image.place,
                f"image {image.id!r} ({image.file_name}) has no split, but others have; give it one, or "
                "choose val otherwise",
            )
        elif not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            mistakes.add(
                image.place,
                f"image {image.id!r} ({image.file_name}) is in the split {quoted(name)}; names of splits "
                "have letters, digits, - and _ only, as they are in names of files",
            )
        else:
            names.append("train" if name in PARTS_OF_TRAIN else name)
    mistakes.tell()
    return names
