"""The models that are served, each with all that its captions take."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from math import prod
from pathlib import Path

import attrs
import numpy as np

from rnnkit.captioning.attention import looks
from rnnkit.captioning.own_data import opened_for
from rnnkit.captioning.photos import pipeline_of
from rnnkit.data.photos.pipeline import AT_ONCE, ImagePipeline
from rnnkit.describing.report.pictures import is_in_folder
from rnnkit.errors import DataError
from rnnkit.kinds import Array, Prepared
from rnnkit.network.checkpoint import load_model
from rnnkit.network.model import Captioner


@attrs.frozen(eq=False)
class Served:
    """A model that is served.

    Attributes:
        name: that requests call it by.
        model: the network, frozen.
        pipeline: how its features come from photos.
        samples: pictures of its own val split.
        map: rows and columns of the regions it looks at; None if it looks at none.
    """

    name: str
    model: Captioner
    pipeline: ImagePipeline
    samples: tuple[Path, ...]
    map: tuple[int, int] | None

    def features(self, prepared: Sequence[Prepared]) -> Array:
        """(N, F) of photos that its encoder has prepared."""
        encode, project = self.pipeline.encoder.encode, self.pipeline.project
        pieces = [prepared[i : i + AT_ONCE] for i in range(0, len(prepared), AT_ONCE)]
        return np.concatenate([project(encode(np.stack(piece))) for piece in pieces])


def open_models(
    paths: Sequence[str | Path],
    data: str | Path | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> tuple[Served, ...]:
    """Read models, and make sure that each can caption photos.

    Args:
        paths: of model files, or runs' folders.
        data: a data folder that says how features come from photos, for models that do not, and whose val pictures
            are shown; each model's own if left open.
        note: called with a sentence if that folder is a model's own, and has changed.

    Raises:
        CheckpointError: a model is not there, is damaged, or needs a plugin that is not installed.
        DataError: a model does not know how its features come from photos.
        RegistryError: its encoder is not installed, or is another one by now.
    """
    found = []
    for name, path in zip(_names([Path(p) for p in paths]), map(Path, paths), strict=True):
        model = load_model(path).frozen()
        pipeline = pipeline_of(model, data, note)
        black = pipeline.encoder.prepare(np.zeros((64, 64, 3), np.uint8))
        features = pipeline.project(pipeline.encoder.encode(black[None]))
        looked = looks(model, model.begin(features))
        regions = pipeline.identity.shape[1:]
        fits = looked is not None and len(regions) == 2 and prod(regions) == looked.shape[1]
        map_ = (regions[0], regions[1]) if fits else None
        found.append(Served(name, model, pipeline, _samples(model, data), map_))
    return tuple(found)


def _samples(model: Captioner, data: str | Path | None) -> tuple[Path, ...]:
    """Pictures of val that are files of the data folder; none if that is gone, or has changed."""
    try:
        with opened_for(model, data, lambda text: None) as dataset:
            split, folder = dataset.splits.get("val"), dataset.folder
    except DataError:
        return ()
    places = () if split is None else split.pictures or ()
    return tuple(Path(p) for p in places if is_in_folder(p, folder) and Path(p).is_file())


def _names(paths: Sequence[Path]) -> Iterator[str]:
    """The folder of each run, and the name of each other file; a number at those that are called as one before."""
    taken: set[str] = set()
    for path in paths:
        run = path.parent if path.is_file() and path.stem in ("best", "last") else path
        name = run.resolve().name.removesuffix(".h5")
        numbered = itertools.chain([name], (f"{name}-{k}" for k in itertools.count(2)))
        name = next(n for n in numbered if n not in taken)
        taken.add(name)
        yield name
