"""The features of a new data folder: copied from where they are, reduced by a PCA, in shards that ranks share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import rnnkit.system.hdf5
from rnnkit.data.features import file_names
from rnnkit.data.features.maps import ATTRIBUTE, FeatureMap
from rnnkit.data.features.opening import HELD_BYTES
from rnnkit.data.layout import DATA_FOLDER
from rnnkit.data.photos.pca import PCA, write_pca
from rnnkit.data.photos.pipeline import PROJECTION
from rnnkit.data.preparing.feature_source import open_source
from rnnkit.data.preparing.new_folder import writing
from rnnkit.data.preparing.pca import fit_pca
from rnnkit.kinds.arrays import Array, DType, Ints
from rnnkit.parallel import Ranks

CHUNK = 64
"""The most rows of features in a chunk of a file."""

CHUNK_BYTES = 2**20
"""The most bytes in a chunk that has more than one: HDF5 writes larger ones again for each piece of them."""


@attrs.frozen
class _Shard:
    """A file of a split, and which of the split's rows it has."""

    path: Path
    rows: range


@attrs.frozen(eq=False)
class NewFeatures:
    """Writes features; all ranks together.

    Attributes:
        folder: where the files are written.
        out: what errors call it.
        rows: of the source, for each split; rising.
        shards: how many files a split has, at most one for each row.
        ranks: who writes.
        layout: of maps, where the source does not say it.
        dataset: the name of the features in the source, if not `features`.
    """

    folder: Path
    out: Path
    rows: Mapping[str, Ints]
    shards: int
    ranks: Ranks
    layout: str | None = None
    dataset: str | None = None

    def copy(self, sources: Sequence[Path], *, raw: bool) -> int:
        """Give each split its rows, as features or as raw ones; their width."""
        return self.ranks.each(partial(self._copy, sources, raw))[0]

    def reduce(self, width: int, dimensions: int) -> PCA:
        """Fit a PCA to train's raw features of that width, and write what it makes of every split's."""
        pca = fit_pca(self._to_fit, width, dimensions, self.ranks)
        self.ranks.each(partial(self._project, pca))
        self.ranks.first(partial(self._keep, pca))
        return pca

    def _split(self, split: str, raw: bool) -> list[_Shard]:
        """All shards of a split."""
        n = len(self.rows[split])
        count = min(self.shards, n)
        name = (DATA_FOLDER.raw_features if raw else DATA_FOLDER.features).format(split)
        return [
            _Shard(self.folder / file, _part(n, number, count))
            for number, file in enumerate(file_names(name, count))
        ]

    def _mine(self, split: str, raw: bool) -> list[_Shard]:
        """This rank's: neighbours, so that it reads one part of the source."""
        shards = self._split(split, raw)
        mine = _part(len(shards), self.ranks.rank, self.ranks.size)
        return shards[mine.start : mine.stop]

    def _copy(self, sources: Sequence[Path], raw: bool) -> int:
        """In one pass over the source."""
        shards = {split: self._mine(split, raw) for split in self.rows}
        rows = {
            split: self.rows[split][mine[0].rows.start : mine[-1].rows.stop]
            for split, mine in shards.items()
            if mine
        }
        wanted = np.sort(np.concatenate([*rows.values(), np.empty(0, np.int64)]))
        with (
            writing(self.out),
            open_source(sources, self.layout, self.dataset) as source,
            ExitStack() as writers,
        ):
            targets = [
                (
                    np.searchsorted(wanted, of_split),
                    writers.enter_context(
                        closing(_Writer(shards[split], source.row, source.dtype, source.map))
                    ),
                )
                for split, of_split in rows.items()
            ]
            for start, block in source.blocks(wanted):
                for at, writer in targets:
                    first, last = np.searchsorted(at, (start, start + len(block)))
                    writer.write(block[at[first:last] - start])
            return source.width

    def _to_fit(self) -> Iterator[Array]:
        """This rank's part of train's raw features, of as many rows as another's."""
        mine = _part(len(self.rows["train"]), self.ranks.rank, self.ranks.size)
        for shard in self._split("train", True):
            here = range(
                max(mine.start, shard.rows.start) - shard.rows.start,
                min(mine.stop, shard.rows.stop) - shard.rows.start,
            )
            if here:
                with open_source([shard.path]) as source:
                    for _, block in source.blocks(np.array(here)):
                        yield block

    def _project(self, pca: PCA) -> None:
        with writing(self.out):
            for split in self.rows:
                pairs = zip(self._mine(split, True), self._mine(split, False), strict=True)
                for raw, target in pairs:
                    with (
                        open_source([raw.path]) as source,
                        closing(
                            _Writer([target], (len(pca.components),), np.dtype(np.float32))
                        ) as writer,
                    ):
                        for _, block in source.blocks(np.arange(len(source))):
                            writer.write(pca.project(block))

    def _keep(self, pca: PCA) -> None:
        with writing(self.out):
            write_pca(self.folder / PROJECTION, pca)


def _part(count: int, number: int, of: int) -> range:
    """The share of `count` things in a row that is the `number`-th of `of` like shares."""
    return range(count * number // of, count * (number + 1) // of)


class _Writer:
    """Writes the rows of shards, which come in order, into one file after the other; one is open at a time."""

    def __init__(
        self,
        shards: Sequence[_Shard],
        row: tuple[int, ...],
        dtype: DType,
        of: FeatureMap | None = None,
    ) -> None:
        self._left = list(shards)
        self._row = row
        self._map = of
        self._dtype = dtype
        self._open = ExitStack()
        self._dataset: Any = None
        self._done = 0

    def write(self, rows: Array) -> None:
        """Write the next rows (k, F)."""
        while len(rows):
            size = len(self._left[0].rows)
            if self._dataset is None:
                file = self._open.enter_context(rnnkit.system.hdf5.writing(self._left[0].path))
                few = CHUNK_BYTES // (math.prod(self._row) * self._dtype.itemsize)
                chunks = (min(CHUNK, size, max(1, few)), *self._row)
                # Of larger ones, rows are read alone: a checksum would have the whole piece read for each.
                held = size * math.prod(self._row) * self._dtype.itemsize <= HELD_BYTES
                self._dataset = file.create_dataset(
                    "features", (size, *self._row), self._dtype, chunks=chunks, fletcher32=held
                )
                if self._map is not None:
                    self._dataset.attrs[ATTRIBUTE] = self._map.layout
            now = rows[: size - self._done]
            self._dataset[self._done : self._done + len(now)] = now.reshape(-1, *self._row)
            self._done += len(now)
            rows = rows[len(now) :]
            if self._done == size:
                self._left.pop(0)
                self.close()

    def close(self) -> None:
        """Close the file that is open."""
        self._dataset, self._done = None, 0
        self._open.close()
