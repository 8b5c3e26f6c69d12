"""An open data folder: its splits, of images and their captions."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs
import numpy as np

from rnnkit.data.features import FeatureMap, Features, ignore
from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.data.vocabulary import Vocabulary
from rnnkit.errors import DataError, listed
from rnnkit.kinds.arrays import Array, DType, Ints
from rnnkit.system.glance import AtAGlance, Glance


@attrs.frozen(eq=False, repr=False)
class Split(AtAGlance):
    """Images and their captions.

    Attributes:
        name: such as train or val.
        captions: (n, T), int32, rows of `<START> w1 .. wk <END> <NULL> ..`; read-only.
        image_idxs: (n,), int32, the row in `features` of each caption's image; read-only.
        features: a row for each image.
        pictures: where to see each image, in the order of `features`: a path in the folder's `images/`,
            else an address, else only a file name; None if the folder does not say.
    """

    name: str
    captions: Ints
    image_idxs: Ints
    features: Features
    pictures: tuple[str, ...] | None = None
    _by_image: Ints = attrs.field(init=False)

    @_by_image.default
    def _sort_by_image(self) -> Ints:
        return np.argsort(self.image_idxs, kind="stable")

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.features)

    def captions_of(self, image: int) -> Ints:
        """The captions of one image, given its row in `features`: (k, T), in the order of the file."""
        return self.captions[self.rows_of(image)]

    def rows_of(self, image: int) -> Ints:
        """The rows of its captions: (k,), rising."""
        bounds = (image, image + 1)
        first, last = np.searchsorted(self.image_idxs, bounds, sorter=self._by_image)
        return self._by_image[first:last]

    def batches(
        self, batches: Iterable[Ints], dtype: DType
    ) -> Generator[tuple[Ints, Array], None, None]:
        """Captions (k, T) and the features of their images (k, F), for one array of rows after the other.

        Features are read ahead, as `Features.batches` does it.
        """
        now, ahead = itertools.tee(batches)
        images = (self.image_idxs[rows] for rows in ahead)
        with contextlib.closing(self.features.batches(images, dtype)) as features:
            for rows, of_images in zip(now, features, strict=True):
                yield self.captions[rows], of_images

    def _glance(self) -> Glance:
        return f"Split {self.name}: {self._counts}, features of width {self.features.width:,}", []

    @property
    def _counts(self) -> str:
        return f"{self.images:,} images, {len(self.captions):,} captions"


@attrs.frozen(eq=False, repr=False)
class Dataset(AtAGlance):
    """An open data folder. A context manager: `close` closes features too large to be held.

    Attributes:
        folder: where it is.
        vocabulary: what its tokens mean.
        splits: by name; train first, then in alphabetical order. All have features of one width and
            captions of one length.
        pipeline: how their features come from photos; None if the folder does not say.
    """

    folder: Path
    vocabulary: Vocabulary
    splits: Mapping[str, Split]
    pipeline: ImagePipeline | None = None

    def split(self, name: str) -> Split:
        """The split of this name; DataError if there is none."""
        if name not in self.splits:
            raise DataError(f"{self.folder} has no split {name!r}; it has {listed(self.splits)}")
        return self.splits[name]

    @property
    def feature_width(self) -> int:
        """F."""
        return next(iter(self.splits.values())).features.width

    @property
    def feature_map(self) -> FeatureMap | None:
        """What the F numbers of an image are, if they are known to be a map."""
        return next(iter(self.splits.values())).features.map

    @property
    def length(self) -> int:
        """T, the tokens of a caption, `<START>` and `<END>` included."""
        length: int = next(iter(self.splits.values())).captions.shape[1]
        return length

    def check(self, progress: Callable[[int], object] = ignore) -> None:
        """Look at every value of the features, which takes as long as reading all of them.

        Args:
            progress: called with the number of rows in each piece that has been looked at.

        Raises:
            DataError: a value is not finite, or a file cannot be read.
        """
        for split in self.splits.values():
            split.features.check(progress)

    def close(self) -> None:
        """Close the files that are still open."""
        for split in self.splits.values():
            split.features.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _glance(self) -> Glance:
        tokens = "characters" if self.vocabulary.by_character else "words"
        return f"Dataset {self.folder}", [
            *((name, split._counts) for name, split in self.splits.items()),
            ("features", f"{self.feature_width:,} an image"),
            *([] if self.pipeline is None else [("encoder", str(self.pipeline.identity))]),
            ("vocabulary", f"{len(self.vocabulary):,} {tokens}"),
            ("captions", f"of at most {self.length} tokens, <START> and <END> included"),
        ]
