"""Says of a data folder which encoder made its features, and checks it against photos, if it has some."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Final

import numpy as np

from rnnkit.data.checksums import renew_checksum
from rnnkit.data.dataset import Split
from rnnkit.data.folder import open_undescribed
from rnnkit.data.photos.identity import identity_of
from rnnkit.data.photos.pca import read_pca
from rnnkit.data.photos.pipeline import ENCODER, PROJECTION, ImagePipeline
from rnnkit.errors import DataError
from rnnkit.kinds import Encoder
from rnnkit.system.files import write_text_whole

LOOKED_AT: Final = 8
"""Photos of each split that are encoded: enough to tell encoders and orders apart."""

NEAR: Final = 0.05
"""How far computed features may be from the folder's, in units of their own size: decoders of JPEG and the order of
sums make a hundredth, another encoder or another picture makes one or more."""


def describe_features(folder: Path, encoder: Encoder) -> int:
    """Write `encoder.json` into a data folder.

    Args:
        folder: an older `encoder.json` is replaced. If it has `pca.h5`, its features are what that makes of the
            encoder's.
        encoder: that made its features.

    Returns:
        How many photos of the folder were encoded and have the features that stand there; 0 if it has none.

    Raises:
        DataError: the features are of another width than the encoder's, or a photo has others.
        SpecError: no installed package declares the encoder.
    """
    identity = identity_of(encoder)
    pca = read_pca(folder / PROJECTION) if (folder / PROJECTION).exists() else None
    with open_undescribed(folder) as dataset:
        if pca is not None and len(pca.mean) != prod(identity.shape):
            raise DataError(
                f"{folder / PROJECTION} projects features of width {len(pca.mean)}, but {identity} gives features of "
                f"shape {identity.shape}; name the encoder that made them"
            )
        pipeline = ImagePipeline(identity, pca)
        if pipeline.width != dataset.feature_width:
            raise DataError(
                f"{folder} has features of width {dataset.feature_width}, but those of {identity} have "
                f"{pipeline.width}; name the encoder that made them"
            )
        checked = sum(_check(split, folder, pipeline) for split in dataset.splits.values())
    write_text_whole(folder / ENCODER, identity.to_json())
    renew_checksum(folder, ENCODER)
    return checked


def _check(split: Split, folder: Path, pipeline: ImagePipeline) -> int:
    """Encode some of the photos that the folder has, at equal distances, and compare; how many it were."""
    places = [Path(name) for name in split.pictures or ()]
    here = folder / "images"
    there = [
        row
        for row, place in enumerate(places)
        if place.is_relative_to(here) and ".." not in place.parts and place.is_file()
    ]
    rows = np.array(there[:: -(-len(there) // LOOKED_AT) or 1], np.int64)
    if not rows.size:
        return 0
    stored = split.features.rows(rows, np.dtype(np.float32))
    found = pipeline.features(places[row] for row in rows)
    distances = np.linalg.norm(found - stored, axis=1) / np.linalg.norm(stored, axis=1)
    worst = int(np.nanargmax(distances))
    if not distances[worst] <= NEAR:
        raise DataError(
            f"{places[rows[worst]]} has other features in {folder} than {pipeline.identity} gives it: they differ by "
            f"{100 * distances[worst]:.0f} % of their size; name the encoder that made them"
        )
    return len(rows)
