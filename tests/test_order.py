"""The order of an epoch: random, and in windows of runs of neighbours where images are read from files."""

from __future__ import annotations

import numpy as np
import pytest

from rnnkit.data import HeldFeatures
from rnnkit.kinds import Ints
from rnnkit.training.order import RUNS, images_together, shuffled

IMAGES, EACH = 1000, 5


def captions_of() -> Ints:
    """Five captions of each image, not in the order of images."""
    return np.random.default_rng(3).permutation(np.repeat(np.arange(IMAGES), EACH))


@pytest.mark.parametrize("together", [1, 63, 64, 100, 256, 1000])
def test_every_caption_comes_once(together: int) -> None:
    found = shuffled(captions_of(), IMAGES, together, np.random.default_rng(0))
    assert sorted(found.tolist()) == list(range(IMAGES * EACH))


def test_all_images_together_are_a_plain_permutation() -> None:
    found = shuffled(captions_of(), IMAGES, IMAGES, np.random.default_rng(7))
    assert found.tolist() == np.random.default_rng(7).permutation(IMAGES * EACH).tolist()


@pytest.mark.parametrize(("together", "run"), [(64, 1), (128, 2), (320, 5)])
def test_a_window_is_made_of_whole_runs_of_neighbours(together: int, run: int) -> None:
    image_idxs = captions_of()
    found = image_idxs[shuffled(image_idxs, IMAGES, together, np.random.default_rng(1))]
    size = RUNS * run * EACH
    for start in range(0, len(found), size):
        window = found[start : start + size]
        images, counts = np.unique(window, return_counts=True)
        assert set(counts.tolist()) == {EACH}
        assert len(np.unique(images // run)) == -(-len(images) // run)
        assert len(images) == RUNS * run or start + size > len(found)


def test_windows_and_captions_in_them_come_in_random_order() -> None:
    """Neither an image's number nor a caption's says where it comes: correlations are those of chance."""
    image_idxs = np.repeat(np.arange(IMAGES), EACH)
    found = shuffled(image_idxs, IMAGES, 128, np.random.default_rng(2))
    assert abs(np.corrcoef(np.arange(len(found)), found)[0, 1]) < 0.25  # about 8 windows
    window = found[: RUNS * 2 * EACH]
    assert abs(np.corrcoef(np.arange(len(window)), window)[0, 1]) < 0.15
    again = shuffled(image_idxs, IMAGES, 128, np.random.default_rng(4))
    assert not np.array_equal(found, again)


def test_images_in_memory_are_all_shuffled_together() -> None:
    assert images_together(HeldFeatures(np.zeros((40, 8), np.float32))) == 40


class Wide(HeldFeatures):
    """Features that are said to be in files."""

    held = False
    wide = (1, 1)

    @property
    def shape(self) -> tuple[int, int]:
        return self.wide


@pytest.mark.parametrize(
    ("shape", "stored", "together"),
    [
        ((10_000, 4096), np.float32, 4096),
        ((10_000, 4096), np.float16, 8192),
        ((3000, 4096), np.float32, 3000),
        ((10_000, 512 * 49 * 49), np.float32, RUNS),
    ],
)
def test_of_images_in_files_as_many_as_fit_are(
    shape: tuple[int, int],
    stored: type[np.floating],
    together: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Wide, "wide", shape)
    assert images_together(Wide(np.zeros((1, 1)), stored=np.dtype(stored))) == together
