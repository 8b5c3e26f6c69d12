"""From pictures to image features."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from rnnkit.kinds.arrays import Array
from rnnkit.kinds.plugin import Plugin

Picture: TypeAlias = npt.NDArray[np.uint8]
"""(height, width, 3), red, green and blue, 0 to 255."""

Prepared: TypeAlias = npt.NDArray[Any]
"""One picture as an encoder takes it, or several (n, ..): of one shape and type, whatever the picture was."""


@attrs.frozen
class InOnnx:
    """An encoder for programs without Python: `prepare` in words, and `encode` as a network in ONNX.

        features = network((pixels - mean) / scale)

    Attributes:
        network: an ONNX file of standard operators, with one input that takes any number of pictures.
        output: of the network: features (n, F), or a map.
        preparation: what `prepare` does to get pictures (size, size, 3) of uint8: `size`, and the other arguments of
            `rnnkit.data.photos.fit_picture`.
        mean: taken from each value, one number or one a channel.
        scale: that the rest is divided by.
        channels: their order in what the network takes.
        layout: of the axes of what it takes.
        map_layout: of the axes of a map that it gives.
    """

    network: bytes = attrs.field(repr=False)
    output: str
    preparation: Mapping[str, str | int | None]
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nhwc"
    map_layout: Literal["nchw", "nhwc"] = "nchw"


class Encoder(Plugin):
    """A fixed computation from the pixels of a picture to its features, such as a pretrained CNN.

    It has no gradient and learns nothing: captioners are trained on what it gives. Two calls, so that pictures can
    be prepared one by one on several threads, and encoded many at a time:

        features = encode(stack(prepare(picture) for each picture))    (n, *shape)
    """

    noun: ClassVar[str] = "encoder"
    group: ClassVar[str] = "rnnkit.encoders"

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of one picture's features: (F,) for a vector, (C, h, w) for a map of h w regions with C channels each."""

    @abc.abstractmethod
    def prepare(self, picture: Picture) -> Prepared:
        """One picture made ready: resized, cropped or padded, its values scaled, its axes in order.

        Args:
            picture: (height, width, 3), of any size; must not be changed.

        Returns:
            An array of the same shape and type for every picture.
        """

    @abc.abstractmethod
    def encode(self, prepared: Prepared) -> Array:
        """The features of pictures.

        Args:
            prepared: (n, ..), what `prepare` gave for each of one picture or more, stacked; must not be changed.

        Returns:
            (n, *shape), float32. Each row depends on its own picture alone, whatever stands beside it.
        """

    def digest(self) -> str:
        """SHA-256, in hexadecimal digits, of the weights that it reads from files; empty if it reads none.

        With the plugin's name, its package's version and its options, this tells the features of one encoder from
        those of another.
        """
        return ""

    def in_onnx(self) -> InOnnx | None:
        """The same computation in ONNX, which exported captioners have in them; None, the default, if there is none."""
        return None
