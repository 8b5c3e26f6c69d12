"""Runs an encoder on pictures, and holds what it returns against what it must."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnkit.kinds import Array, Encoder, Picture, Prepared
from rnnkit.registry.returned import REAL, array


def ready(encoder: Encoder, picture: Picture) -> Prepared:
    """One picture made ready.

    Raises:
        PluginFault: the encoder returned something else than an array.
    """
    made = encoder.prepare(picture)
    prepared: Prepared = array(encoder, "prepare", made, np.shape(made), "the picture")
    return prepared


def encoded(encoder: Encoder, pictures: Sequence[Prepared]) -> Array:
    """The features (n, *shape) of pictures made ready, of which there is one at least.

    Raises:
        PluginFault: the encoder returned arrays of other shapes.
    """
    for picture in pictures:
        array(encoder, "prepare", picture, pictures[0].shape, "each picture")
    made = encoder.encode(np.stack(pictures))
    features: Array = array(
        encoder, "encode", made, (len(pictures), *encoder.shape), "the features", REAL
    )
    return features
