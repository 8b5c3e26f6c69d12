"""features = network((pixels - mean) / scale), for any network of pictures in ONNX."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import attrs
import numpy as np
from attrs.validators import and_, deep_iterable, ge, gt, optional

from rnnkit import DataError
from rnnkit.data.photos import Fit, Interpolation, Port, fit_picture, read_network
from rnnkit.kinds import Array, Encoder, InOnnx, Picture, Prepared


def _absolute(file: str) -> str:
    return os.path.abspath(file)


def _is_there(encoder: Onnx, field: attrs.Attribute[str], file: str) -> None:
    if not Path(file).exists():
        raise ValueError(f"{file} does not exist; give the path of a network in ONNX")


def _one_or_three(
    encoder: Onnx, field: attrs.Attribute[tuple[float, ...]], numbers: tuple[float, ...]
) -> None:
    if len(numbers) not in (1, 3):
        raise ValueError(f"{field.name} has {len(numbers)} numbers; give one, or one a channel")


@attrs.frozen
class Onnx(Encoder):
    """An image network of your own, exported to ONNX in one file.

    Attributes:
        file: path of the `.onnx` file; captioners find it beside their own file, too.
        size: pixels of a side of the picture that it takes; as the file says, or 224, if left open.
        fit: how a photo comes to that size: squash all of it, crop its middle, or pad it with black.
        shorter: to crop, the pixels that the photo's shorter side is resized to before; `size` if left open.
        interpolation: of the resizing.
        mean: taken from each value of 0 to 255, one number or one a channel.
        scale: that the rest is divided by.
        channels: their order.
        layout: of the axes: `nchw` has the channels before the rows, `nhwc` after the columns.
        output: its name; the first, if left open.
    """

    file: str = attrs.field(converter=_absolute, validator=_is_there)
    size: int | None = attrs.field(default=None, validator=optional(ge(1)))
    fit: Fit = "squash"
    shorter: int | None = attrs.field(default=None, validator=optional(ge(1)))
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, ...] = attrs.field(
        default=(123.675, 116.28, 103.53), validator=_one_or_three
    )
    scale: tuple[float, ...] = attrs.field(
        default=(58.395, 57.12, 57.375),
        validator=and_(_one_or_three, deep_iterable(gt(0.0))),
    )
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"
    output: str | None = None

    @classmethod
    def variants(cls) -> list[Onnx]:
        """What the harness checks: a network that comes with this file, and takes any size and layout."""
        return [cls(str(Path(__file__).with_name("smallest.onnx")))]

    @property
    def shape(self) -> tuple[int, ...]:
        side = self._side()
        return self.encode(np.zeros((1, side, side, 3), np.uint8)).shape[1:]

    def prepare(self, picture: Picture) -> Prepared:
        return fit_picture(picture, self._side(), self.fit, self.interpolation, self.shorter)

    def encode(self, prepared: Prepared) -> Array:
        network, port, output = read_network(self.file), self._input(), self._output()
        pixels = prepared[..., ::-1] if self.channels == "bgr" else prepared
        x = (pixels - np.array(self.mean, np.float32)) / np.array(self.scale, np.float32)
        if self.layout == "nchw":
            x = np.moveaxis(x, -1, 1)
        x = np.ascontiguousarray(x, port.type)
        found = [network.run(block, output) for block in _blocks(x, port.shape[0])]
        return self._features(np.concatenate(found)[: len(x)])

    def digest(self) -> str:
        return read_network(self.file).digest

    def in_onnx(self) -> InOnnx:
        port = self._input()
        if port.shape[0] is not None:
            raise DataError(
                f"{self.file} takes {port}, {port.shape[0]} at a time; export the network so that it takes any number "
                "of pictures"
            )
        preparation = {
            "size": self._side(),
            "fit": self.fit,
            "interpolation": self.interpolation,
            "shorter": self.shorter,
        }
        return InOnnx(
            Path(self.file).read_bytes(),
            self._output(),
            preparation,
            self.mean,
            self.scale,
            self.channels,
            self.layout,
            self.layout,
        )

    def _input(self) -> Port:
        """The one input, which must fit a picture."""
        inputs = read_network(self.file).inputs
        takes = f"{self.file} takes {_listed(inputs)}"
        port = inputs[0]
        if len(inputs) != 1 or len(port.shape) != 4:
            raise DataError(f"{takes}; one input with four axes is needed, for pictures alone")
        places = {"nchw": 1, "nhwc": 3}
        if port.shape[places[self.layout]] not in (None, 3):
            other = next(layout for layout in places if layout != self.layout)
            fits = port.shape[places[other]] in (None, 3)
            mend = f'set layout = "{other}"' if fits else "three are needed"
            raise DataError(f"{takes}, which are not 3 channels in layout {self.layout}; {mend}")
        if port.type not in ("float32", "float16", "float64", "uint8"):
            raise DataError(f"{takes}; it must take float32, float16, float64 or uint8")
        if port.type == "uint8" and (set(self.mean) != {0.0} or set(self.scale) != {1.0}):
            raise DataError(f"{takes}, whole numbers; set mean = [0.0] and scale = [1.0]")
        return port

    def _side(self) -> int:
        port = self._input()
        sizes = port.shape[2:] if self.layout == "nchw" else port.shape[1:3]
        fixed = {n for n in sizes if n is not None}
        side = self.size or max(fixed, default=224)
        if fixed - {side}:
            raise DataError(
                f"{self.file} takes {port}, not pictures of {side} x {side}"
                f"{'; leave size out' if len(fixed) == 1 else ': it must be square'}"
            )
        return side

    def _output(self) -> str:
        outputs = {port.name: port for port in read_network(self.file).outputs}
        name = self.output or next(iter(outputs))
        if name not in outputs:
            raise DataError(
                f"{self.file} has no output {name!r}; it has {_listed(outputs.values())}"
            )
        return name

    def _features(self, found: Array) -> Array:
        """(n, F), or a map (n, C, h, w)."""
        if found.ndim == 4 and self.layout == "nhwc":
            found = np.moveaxis(found, -1, 1)
        if found.ndim == 4 and found.shape[2:] == (1, 1):
            found = found[:, :, 0, 0]
        if found.ndim not in (2, 4):
            outputs = _listed(read_network(self.file).outputs)
            raise DataError(
                f"{self.file}: {self._output()} is of shape {found.shape}, and features are (N, F), or a map with "
                f"four axes; set output to one of {outputs}"
            )
        return np.ascontiguousarray(found, np.float32)


def _blocks(x: Array, n: int | None) -> Iterator[Array]:
    """As many pictures at a time as the network takes, the last ones filled up with nothing."""
    n = n or len(x)
    for start in range(0, len(x), n):
        block = x[start : start + n]
        yield np.concatenate([block, np.zeros((n - len(block), *x.shape[1:]), x.dtype)])


def _listed(ports: Iterable[Port]) -> str:
    return ", ".join(map(str, ports))
