"""Feature maps and the part of a network that takes them as such."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import attrs

from rnnkit.data import Dataset
from rnnkit.data.features import FeatureMap
from rnnkit.kinds import named_arrays
from rnnkit.network.chain import Link
from rnnkit.network.model import Captioner
from rnnkit.spec import ModelTable
from rnnkit.spec.places import Path


@attrs.frozen
class Taker:
    """A layer of the image chain, or a cell behind it, that takes its input as a map.

    Attributes:
        path: where it stands in the spec.
        regions: L.
    """

    path: Path
    regions: int


def takers(table: ModelTable, image: Sequence[Link]) -> tuple[Taker, ...]:
    """All of them, first to last, whose input still has the regions of what the one before puts out.

    A layer with parameters of its own, other than such a taker, mixes regions: what follows takes no map of the data.
    """
    found = []
    for i, link in enumerate(image):
        regions = link.layer.map_regions()
        if regions is not None:
            found.append(Taker(("model", "image", i), regions))
        elif any(True for _ in named_arrays(link.params)):
            return tuple(found)
    cell = table.rnn[0].cell.map_regions() if len(table.rnn) == 1 else None
    if cell is not None and table.inject == "init":
        found.append(Taker(("model", "rnn", 0, "cell"), cell))
    return tuple(found)


def misfits(
    table: ModelTable, image: Sequence[Link], of: tuple[int, ...] | None
) -> Iterator[tuple[Path, str]]:
    """Where in a spec, and why, the regions of the features and of what takes them are not as many."""
    wanted, whose = None, ""
    if of is not None:
        wanted = math.prod(of[1:])
        whose = f"the features are maps with {' x '.join(map(str, of[1:]))} = {wanted} regions"
    for taker in takers(table, image):
        if wanted is not None and taker.regions != wanted:
            yield taker.path, f"{whose}, but {taker.regions} are taken here; say {wanted}"
            return
        wanted = taker.regions
        whose = f"the image comes in {wanted} regions"


def regions_of(of: tuple[int, ...]) -> FeatureMap:
    """Sizes (C, h, w) or (C, L), as a map."""
    return FeatureMap(of[0], of[1:], "chw")


def map_misfit(of: tuple[int, ...] | None, dataset: Dataset) -> str | None:
    """What of a dataset's features does not fit a model that was built for such maps; None if all does.

    The layout in which they are stored does not matter, but that it is known.
    """
    has = dataset.feature_map
    if of is None:
        # A model from before layouts were known: its features came in the order in which they are stored.
        if has is not None and has.guessed and has.channels_last:
            return (
                f"maps that by their shape are {has.layout}, but the model was trained without a layout; if on "
                'these as they are stored, set the attribute "layout" of their dataset to "chw"'
            )
        return None
    takes = regions_of(of)
    if has is None:
        return (
            f"flat features, whose order nobody knows, but the model takes maps of {takes}; prepare the data "
            "with features that are maps"
        )
    return None if has == takes else f"maps of {has}, but the model takes maps of {takes}"


def about_features(model: Captioner, dataset: Dataset | None) -> str | None:
    """A sentence for who builds or trains a network whose features may be in another order than it takes; or None."""
    found = takers(model.spec.model, model.body.image.links)
    of = dataset.feature_map if dataset is not None else None
    if of is not None and of.guessed:
        return (
            f"the features do not say their layout: by their shape they are taken as {of}, "
            f"{'last' if of.channels_last else 'first'} axis channels ({of.layout})"
        )
    if model.map is not None or not found:
        return None
    regions = found[0].regions
    channels = model.feature_width // regions
    return (
        f"the features are flat, with {model.feature_width} numbers, and are taken as maps of {channels} channels in "
        f"{regions} regions, channels first (C, L); if they are in another order, keep them as maps, which "
        "rnnkit data prepare takes, and nothing need be assumed"
    )
