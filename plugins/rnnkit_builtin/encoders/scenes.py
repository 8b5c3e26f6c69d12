"""features = areas, rims, hues, edge directions and moments of the coloured parts of a picture.

A fixed bank of filters, pooled over the whole picture and two regions of it; `rnnkit.data.scenes.features` has the
sources.
"""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.captioning.exporting import encode_in_onnx
from rnnkit.data.photos import fit_picture
from rnnkit.data.scenes import SIDE, features, features_at_once
from rnnkit.kinds import Array, Encoder, InOnnx, Picture, Prepared


@attrs.frozen
class Scenes(Encoder):
    """The features of the generated scenes of `rnnkit data demo`; it sees coloured shapes, and little in photos.

    A picture of another size than the scenes have is squashed to theirs.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        return (78,)

    def prepare(self, picture: Picture) -> Prepared:
        if picture.shape == (SIDE, SIDE, 3):
            return picture
        return fit_picture(picture, SIDE)

    def encode(self, prepared: Prepared) -> Array:
        return features(prepared).astype(np.float32, copy=False)

    def in_onnx(self) -> InOnnx:
        preparation: dict[str, str | int | None]
        preparation = {"size": SIDE, "fit": "squash", "interpolation": "bicubic"}
        return InOnnx(encode_in_onnx(features_at_once, SIDE), "features", preparation)
