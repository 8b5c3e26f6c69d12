"""Pictures of a split with their captions, in one figure."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from rnnkit.data.dataset import Dataset
from rnnkit.data.looking.pictures import load_picture
from rnnkit.errors import DataError, MissingPackage
from rnnkit.kinds import Picture
from rnnkit.system.terminal import shown as visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3
_WIDTH = 52  # characters of a caption in a line
_DOWNLOADS = 8  # at a time


@attrs.frozen(eq=False)
class Shown:
    """A picture and what people said of it.

    Attributes:
        picture: (height, width, 3), uint8, or in words why it cannot be had.
        captions: in the order of the file.
    """

    picture: Picture | str
    captions: tuple[str, ...]


def choose_pictures(
    dataset: Dataset,
    split: str = "train",
    n: int = 6,
    seed: int | None = None,
    load: Callable[[str], Picture] = load_picture,
) -> list[Shown]:
    """Load pictures of a split.

    Args:
        dataset: an open data folder.
        split: its name.
        n: how many pictures, or all if there are fewer.
        seed: draws them at random; the first n if left open.
        load: makes pixels of a path or an address, or raises DataError; several run at once.

    Raises:
        DataError: there is no such split.
    """
    chosen = dataset.split(split)
    order = np.arange(chosen.images)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order)
    images: list[int] = order[:n].tolist()

    def picture(image: int) -> Picture | str:
        if chosen.pictures is None:
            return "the data folder does not say where its pictures are"
        try:
            return load(chosen.pictures[image])
        except DataError as error:
            return str(error)

    with ThreadPoolExecutor(max_workers=_DOWNLOADS) as pool:
        pictures = list(pool.map(picture, images))
    return [
        Shown(p, tuple(dataset.vocabulary.decode(row) for row in chosen.captions_of(image)))
        for image, p in zip(images, pictures, strict=True)
    ]


def save_figure(file: Path, shown: Sequence[Shown]) -> None:
    """Draw pictures with their captions, and a grey box with the reason for a picture that cannot be had.

    Args:
        file: its ending says the format, such as .png or .svg; what is there is written over.
        shown: at least one.

    Raises:
        DataError: the figure cannot be written.
        MissingPackage: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackage('drawing needs matplotlib: pip install "rnnkit[plots]"') from error
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.2 * columns, 4.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    for axes, one in zip(grid, shown, strict=False):
        _draw(axes, one)
    try:
        with warnings.catch_warnings():
            # Of captions that need more room than their picture: the file is as large as all of them.
            warnings.filterwarnings("ignore", "constrained_layout not applied")
            warnings.filterwarnings("ignore", "Glyph .* missing")  # the font's box stands for it
            figure.savefig(file, bbox_inches="tight")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write {file}: {reason}") from error


def _draw(axes: Axes, shown: Shown) -> None:
    if isinstance(shown.picture, str):
        axes.imshow(np.full((3, 4, 3), 224, np.uint8))
        reason = textwrap.fill(visible(shown.picture), _WIDTH - 12)
        axes.text(1.5, 1, reason, ha="center", va="center", fontsize=8, parse_math=False)
    else:
        axes.imshow(shown.picture)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    captions = [textwrap.fill(visible(c), _WIDTH, subsequent_indent="    ") for c in shown.captions]
    axes.set_xlabel("\n".join(captions), loc="left", fontsize=8, parse_math=False)
