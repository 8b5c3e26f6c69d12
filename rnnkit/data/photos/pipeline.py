"""From photos to the features that a network takes: an encoder, and what was made of its features since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from math import prod
from pathlib import Path
from typing import Final, Self

import attrs
import numpy as np

from rnnkit.data.photos.identity import EncoderIdentity
from rnnkit.data.photos.opening import Photo, open_photo
from rnnkit.data.photos.pca import PCA, pca_of, read_pca, write_pca
from rnnkit.data.photos.running import encoded, ready
from rnnkit.errors import DataError
from rnnkit.kinds import Array, Encoder
from rnnkit.system.why import JSON, check_ordinary, why

ENCODER: Final = "encoder.json"
"""The file of a data folder that says which encoder made its features."""

PROJECTION: Final = "pca.h5"
"""The file of a data folder that has what projects raw features."""

AT_ONCE: Final = 16
"""Photos that are prepared and encoded together."""


@attrs.frozen(eq=False)
class ImagePipeline:
    """`project(encode(prepare(photo)))`: all that lies between a photo and a row of features.

    Attributes:
        identity: of the encoder.
        pca: what its features are projected by; None if they are taken as they are.
    """

    identity: EncoderIdentity
    pca: PCA | None = None

    @property
    def width(self) -> int:
        """F, of the features of one photo."""
        return prod(self.identity.shape) if self.pca is None else len(self.pca.components)

    @property
    def encoder(self) -> Encoder:
        """It, loaded once; RegistryError if it is not installed, or is another one by now."""
        return _loaded(self.identity)

    def features(self, photos: Iterable[Photo]) -> Array:
        """The features of photos.

        Args:
            photos: paths, pictures of Pillow's, or arrays (h, w, 3).

        Returns:
            (n, F), float32; a map is one row, channels first.

        Raises:
            DataError: a photo cannot be read.
            RegistryError: the encoder is not installed, or is another one by now.
        """
        encoder = self.encoder
        photos = iter(photos)
        blocks = [np.empty((0, self.width), np.float32)]
        while some := [ready(encoder, open_photo(photo)) for photo in islice(photos, AT_ONCE)]:
            blocks.append(self.project(encoded(encoder, some)))
        return np.concatenate(blocks)

    def project(self, encoded: Array) -> Array:
        """What an encoder gave (n, ..), as rows (n, F)."""
        rows = encoded.reshape(len(encoded), -1)
        return rows if self.pca is None else self.pca.project(rows)

    def difference(self, other: ImagePipeline) -> str | None:
        """Why features of the two must not be mixed, said of the other; None if they may."""
        if (difference := self.identity.difference(other.identity)) is not None:
            return f"are of another encoder, which {difference}"
        if (self.pca is None) != (other.pca is None):
            return f"are {'raw' if other.pca is None else 'reduced by a PCA'}"
        if self.pca is not None and other.pca is not None and not self.pca.same(other.pca):
            return "are reduced by another PCA"
        return None

    @property
    def arrays(self) -> dict[str, Array]:
        """Those of the PCA; none without one."""
        if self.pca is None:
            return {}
        scale = np.asarray(self.pca.scale)
        return {"mean": self.pca.mean, "components": self.pca.components, "scale": scale}

    @classmethod
    def of(cls, identity: EncoderIdentity, arrays: Mapping[str, Array]) -> Self:
        """What has this identity and these `arrays`.

        Raises:
            KeyError, ValueError: they are no PCA, or one of other features.
        """
        if not arrays:
            return cls(identity)
        pca, width = pca_of(arrays), prod(identity.shape)
        if len(pca.mean) != width:
            raise ValueError(
                f"the PCA takes features of width {len(pca.mean)}, and the encoder's are {width}"
            )
        return cls(identity, pca)


@cache
def _loaded(identity: EncoderIdentity) -> Encoder:
    """Weights are read once, whoever captions photo by photo."""
    return identity.load()


def read_pipeline(folder: Path, *, raw: bool) -> ImagePipeline | None:
    """How a data folder's features come from photos; None if it does not say.

    Args:
        folder: may have `encoder.json`, and `pca.h5` beside it.
        raw: whether the features are those from before the PCA.

    Raises:
        DataError: one of the files is damaged, or they do not fit each other.
    """
    path = folder / ENCODER
    if not path.exists():
        return None
    try:
        check_ordinary(path)
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise DataError(why(error, path, JSON)) from error
    identity = EncoderIdentity.from_json(text, str(path)).found_from(folder)
    if raw or not (folder / PROJECTION).exists():
        return ImagePipeline(identity)
    pca, width = read_pca(folder / PROJECTION), prod(identity.shape)
    if len(pca.mean) != width:
        raise DataError(
            f"{folder / PROJECTION} projects features of width {len(pca.mean)}, but {path} names an encoder of "
            f"width {width}; write both for the same encoder"
        )
    return ImagePipeline(identity, pca)


def write_pipeline(folder: Path, pipeline: ImagePipeline) -> None:
    """Write what `read_pipeline` reads."""
    (folder / ENCODER).write_text(pipeline.identity.to_json(), "utf-8")
    if pipeline.pca is not None:
        write_pca(folder / PROJECTION, pipeline.pca)
