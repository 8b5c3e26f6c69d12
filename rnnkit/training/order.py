"""The order in which an epoch goes through captions: random, and kind to the disk that their images come from."""

from __future__ import annotations

from typing import Final

import numpy as np

from rnnkit.data import Features
from rnnkit.kinds import Ints, Rng

SHUFFLE_BYTES: Final = 64 << 20
"""Features that are shuffled together where they are read from files: two such windows are in memory at once."""

RUNS: Final = 64
"""Runs of neighbours in a window, about a megabyte each: a disk that turns reads one in twice the time it takes to
get there."""


def images_together(features: Features) -> int:
    """How many images have their captions shuffled together: all of those in memory, else what 64 MiB hold."""
    if features.held:
        return len(features)
    row = features.width * features.stored.itemsize
    return min(len(features), max(RUNS, SHUFFLE_BYTES // row))


def shuffled(image_idxs: Ints, images: int, together: int, rng: Rng) -> Ints:
    """Put captions into a random order.

    Images are cut into runs of neighbours, and the runs shuffled. 64 of them make a window; its captions come before
    those of the next, shuffled. So whoever reads a window finds its images in a few places of the files. What that
    gives up: neighbours, and the captions of an image, share a window. With one window for all images it gives up
    nothing.

    Args:
        image_idxs: (n,), the image of each caption.
        images: how many there are.
        together: images in a window.
        rng: to draw from.

    Returns:
        (n,) the numbers of the captions.
    """
    order = rng.permutation(len(image_idxs))
    if together >= images:
        return order
    run = max(1, together // RUNS)
    window = rng.permutation(-(-images // run)) // (together // run)
    return order[np.argsort(window[image_idxs[order] // run], kind="stable")]
