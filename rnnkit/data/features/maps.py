"""Which axis of a feature map is its channels: decided here, whatever has the map.

Files keep maps as they came, (C, h, w), (h, w, C), (C, L) or (L, C), and name the order in the attribute `layout` of
their dataset. Rows come as (C, L), flattened: channels first, which is how layers take them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array

ATTRIBUTE: Final = "layout"
"""Of the dataset `features`, in HDF5."""

FIRST: Final = ("chw", "cl")
LAST: Final = ("hwc", "lc")


@attrs.frozen
class FeatureMap:
    """What the numbers of an image are.

    Attributes:
        channels: C, the features of each region.
        regions: the lengths of the axes that say where: (h, w), or (L,).
        layout: their order where they are stored: chw, hwc, cl or lc.
        guessed: whether nothing but the shape says so.
    """

    channels: int
    regions: tuple[int, ...] = attrs.field(eq=math.prod)
    layout: str = attrs.field(eq=False)
    guessed: bool = attrs.field(default=False, eq=False)

    @property
    def count(self) -> int:
        """L, the number of regions."""
        return math.prod(self.regions)

    @property
    def channels_last(self) -> bool:
        """Whether rows must be turned round."""
        return self.layout in LAST

    def described(self) -> str:
        """What it is, in which layout it is stored, and how that is known."""
        guess = ", to judge by its shape: only so the regions make a square" if self.guessed else ""
        return f"maps of {self}, in the layout {self.layout}{guess}"

    def __str__(self) -> str:
        return f"{self.channels} channels in {' x '.join(map(str, self.regions))} regions"


def channels_first(block: Array, of: FeatureMap | None) -> Array:
    """Rows (k, ..) as they are stored, as (k, F) with channels first; a copy only if they are turned round."""
    if of is not None and of.channels_last:
        block = block.reshape(len(block), of.count, of.channels).swapaxes(1, 2)
    return block.reshape(len(block), -1)


def map_of(
    row: Sequence[int], said: str | None, where: str, ask: str, *, as_before: bool = False
) -> FeatureMap | None:
    """What a row of this shape is; None if it is flat.

    Of two orders, that one is guessed whose regions make a square while those of the other do not.

    Args:
        row: the shape of a row, without the axis of the images.
        said: the layout that the file or the user names, if one does.
        where: what errors call the features.
        ask: how the user can say it.
        as_before: take (C, h, w) where both orders fit, as folders have it that do not know layouts.

    Raises:
        DataError: the layout is none, or not one of such rows; or it is not said, and both orders fit, or neither.
    """
    if said is not None and said not in (*FIRST, *LAST):
        raise DataError(
            f"{where}: the layout is {said!r}, but must be chw, hwc or lc: which axis is the channels"
        )
    if len(row) < 2:
        if said is not None:
            raise DataError(
                f"{where}: rows of shape {tuple(row)} have no layout {said}; leave it out for flat features, or "
                "give maps with an axis for the channels"
            )
        return None
    if said is not None:
        return _map(row, last=said in LAST, guessed=False)
    first, last = _square(row[1:]), _square(row[:-1])
    if first == last and not (as_before and len(row) == 3):
        one, other = ("chw", "hwc") if len(row) > 2 else ("cl", "lc")
        raise DataError(
            f"{where}: rows of shape {tuple(row)} do not tell which axis is the channels: say {one} if it is "
            f"the first, {other} if it is the last, {ask}"
        )
    return _map(row, last=last and not first, guessed=True)


def said_in(dataset: Any) -> str | None:
    """The layout that an HDF5 dataset names."""
    said = dataset.attrs.get(ATTRIBUTE)
    return said.decode(errors="replace") if isinstance(said, bytes) else said and str(said)


def in_file(path: Path) -> str:
    """How to say the layout in a file that is there."""
    return f'in the file itself: h5py.File("{path}", "r+")["features"].attrs["{ATTRIBUTE}"] = ".."'


def _map(row: Sequence[int], *, last: bool, guessed: bool) -> FeatureMap:
    channels, regions = (row[-1], row[:-1]) if last else (row[0], row[1:])
    layouts = LAST if last else FIRST
    return FeatureMap(channels, tuple(regions), layouts[len(regions) == 1], guessed)


def _square(axes: Sequence[int]) -> bool:
    if len(axes) == 1:
        return math.isqrt(axes[0]) ** 2 == axes[0]
    return len(set(axes)) == 1
