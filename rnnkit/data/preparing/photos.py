"""A data folder out of photos and what people said of them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import h5py
import numpy as np

import rnnkit.system.hdf5
from rnnkit.data.annotations import AnnotatedImage
from rnnkit.data.features.maps import ATTRIBUTE
from rnnkit.data.photos.identity import identity_of
from rnnkit.data.photos.pipeline import ENCODER
from rnnkit.data.preparing.captions import read_captions
from rnnkit.data.preparing.encoding import Encoded, encode_photos, read_rows
from rnnkit.data.preparing.new_folder import part_of, writing
from rnnkit.data.preparing.prepare import Prepared, prepare
from rnnkit.errors import DataError, listed
from rnnkit.kinds import Encoder
from rnnkit.parallel import ALONE, Ranks
from rnnkit.system.files import files_below, sole_owner
from rnnkit.system.terminal import shown_in_line

LEFT_OUT: Final = "left_out.txt"
"""The file of a data folder that lists the photos without which it was made, and why."""


@attrs.frozen
class FromPhotos:
    """What became of photos and captions.

    Attributes:
        prepared: the folder.
        left_out: name of an image -> why it is not in the folder: without a photo, or with one that cannot be read.
    """

    prepared: Prepared
    left_out: Mapping[str, str]


def prepare_photos(
    images: str | Path,
    captions: str | Path | Sequence[str | Path],
    out: str | Path,
    encoder: Encoder,
    *,
    strict: bool = False,
    progress: Callable[[int, int], object] = lambda done, all: None,
    ranks: Ranks = ALONE,
    **options: Any,
) -> FromPhotos:
    """Write a data folder that `open_data` reads: features are what an encoder makes of photos.

    Features go first into a hidden folder beside `out`, so that this goes on where it was if it is killed and started
    again. The order of images is that of the captions.

    Args:
        images: the folder of the photos. Captions name them with or without folders.
        captions: as `prepare` has them.
        out: the folder; must not exist.
        encoder: of the photos.
        strict: whether an image without a photo, or with one that cannot be read, is an error; else it is left out.
        progress: called with how many photos this process has encoded of how many, now and then.
        ranks: processes that do this together, on one file system.
        options: further ones of `prepare`.

    Raises:
        DataError: as `prepare`; or no photo can be read; or, if `strict`, one cannot.
        CheckpointError: another process is making the same folder.
    """
    out = Path(out).absolute()
    said = [Path(captions)] if isinstance(captions, str | Path) else list(map(Path, captions))
    work = out.with_name(f".{out.name}.photos")
    with ExitStack() as entered:

        def begin() -> tuple[tuple[AnnotatedImage, ...], dict[str, Path]]:
            if os.path.lexists(out):
                raise DataError(f"{out} exists; name a new folder, or delete it")
            found = [image for image in read_captions(said)[0].images if image.captions]
            photos = find_files(Path(images), [image.file_name for image in found])
            with writing(out):
                work.mkdir(parents=True, exist_ok=True)
            entered.enter_context(sole_owner(work))
            shutil.rmtree(part_of(out), ignore_errors=True)  # whoever wrote it is gone
            return tuple(found), photos

        found, photos = ranks.first(begin)
        left_out = {
            image.file_name: f"{images} has no photo of this name"
            for image in found
            if image.file_name not in photos
        }
        if strict and left_out:
            raise DataError(
                f"{len(left_out):,} images with captions have no photo in {images}: {listed(left_out)}; add them, "
                "or leave --strict out"
            )
        encoded = encode_photos(
            list(dict.fromkeys(photos.values())),
            encoder,
            work,
            strict=strict,
            progress=progress,
            ranks=ranks,
        )
        left_out |= {
            name: encoded.failed[photo] for name, photo in photos.items() if photo in encoded.failed
        }
        kept = [image for image in found if image.file_name not in left_out]
        if not kept:
            raise DataError(
                f"none of the {len(found):,} images with captions has a photo in {images} that can be read"
                + "".join(f"; {name}: {why}" for name, why in list(left_out.items())[:1])
            )
        features = work / "features.hdf5"
        ranks.first(partial(_join, features, out, encoder, encoded, kept, photos))
        beside = {ENCODER: identity_of(encoder).to_json()}
        if left_out:
            beside[LEFT_OUT] = "".join(
                f"{shown_in_line(name)}\t{shown_in_line(why)}\n" for name, why in left_out.items()
            )
        prepared = prepare(captions, features, out, beside=beside, ranks=ranks, **options)
        ranks.first(partial(shutil.rmtree, work, ignore_errors=True))
    return FromPhotos(prepared, left_out)


def find_files(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """The file of each name, if the folder has one: at that path, or anywhere if only one is called so.

    Raises:
        DataError: the folder is none, or has no files.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder of the photos with --images")
    by_name: dict[str, list[Path]] = {}
    for file in files_below(folder):
        by_name.setdefault(file.name, []).append(file)
    if not by_name:
        raise DataError(f"{folder} has no files; give the folder of the photos with --images")
    found: dict[str, Path] = {}
    for name in names:
        parts = [part for part in re.split(r"[/\\]", name) if part]
        some = by_name.get(parts[-1], []) if parts else []
        there = [p for p in some if p.relative_to(folder).parts == tuple(parts)]
        if len(some := there or some) == 1:
            found[name] = some[0]
    return found


def _join(
    file: Path,
    out: Path,
    encoder: Encoder,
    encoded: Encoded,
    images: Sequence[AnnotatedImage],
    photos: Mapping[str, Path],
) -> None:
    """Write the features of images into one file, in their order, with their ids."""
    with writing(out), rnnkit.system.hdf5.writing(file) as h5:
        shape = encoder.shape
        features = h5.create_dataset("features", (len(images), *shape), np.float32)
        if len(shape) > 1:
            features.attrs[ATTRIBUTE] = "chw" if len(shape) == 3 else "cl"
        ids = [image.id for image in images]
        if all(isinstance(id, int) for id in ids):
            h5["image_ids"] = ids
        else:
            h5.create_dataset("image_ids", data=list(map(str, ids)), dtype=h5py.string_dtype())
        for numbers, rows in read_rows(encoded, [photos[image.file_name] for image in images]):
            features[numbers] = rows
