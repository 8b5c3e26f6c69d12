"""From pixels to features in a graph of ONNX: an encoder that is a network in ONNX, and the projection behind it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, compose, inliner, version_converter

from rnnkit.captioning.exporting.onnx.scope import OPSET, Scope
from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.errors import DataError
from rnnkit.kinds import InOnnx

PREFIX = "encoder/"
"""Begins the names of an encoder's nodes and values, which may be any."""


def put_features(scope: Scope, pixels: str, encoder: InOnnx, pipeline: ImagePipeline) -> str:
    """Put an encoder and its projection into a scope.

    Args:
        scope: the graph.
        pixels: the name of pictures (N, size, size, 3), RGB, uint8.
        encoder: of the pipeline.
        pipeline: what lies between a photo and the features.

    Returns:
        The name of features (N, F).

    Raises:
        DataError: the network has operators that are not standard ones, or is of a version that cannot be brought
            to that of the graph.
    """
    model = _standard(encoder.network, str(pipeline.identity))
    port = _input(model)
    scope.call(port.name, _as_it_takes(scope, pixels, encoder, port))
    scope.nodes.extend(model.graph.node)
    scope.values.update({value.name: value for value in model.graph.initializer})
    features = scope.op("Cast", f"{PREFIX}{encoder.output}", to=TensorProto.FLOAT)
    if encoder.map_layout == "nhwc" and len(pipeline.identity.shape) == 3:
        features = scope.op("Transpose", features, perm=[0, 3, 1, 2])
    features = scope.op("Flatten", features, axis=1)
    if pipeline.pca is None:
        return features
    pca = pipeline.pca
    mean = scope.weight("pca.mean", pca.mean.astype(np.float32))
    components = scope.weight("pca.components", (pca.components.T * pca.scale).astype(np.float32))
    return scope.op("MatMul", scope.op("Sub", features, mean), components)


def _as_it_takes(scope: Scope, pixels: str, encoder: InOnnx, port: ValueInfoProto) -> str:
    """(pixels - mean) / scale, in the order, layout and type that the network takes."""
    x, takes = pixels, port.type.tensor_type.elem_type
    if encoder.channels == "bgr":
        x = scope.op("Gather", x, scope.const(np.array([2, 1, 0])), axis=3)
    if takes != TensorProto.UINT8:
        x = scope.op("Cast", x, to=TensorProto.FLOAT)
        x = scope.op("Sub", x, scope.const(np.array(encoder.mean, np.float32)))
        x = scope.op("Div", x, scope.const(np.array(encoder.scale, np.float32)))
    if encoder.layout == "nchw":
        x = scope.op("Transpose", x, perm=[0, 3, 1, 2])
    return x if takes == TensorProto.UINT8 else scope.op("Cast", x, to=takes)


def _standard(network: bytes, name: str) -> ModelProto:
    """A network in the standard operators of the graph's version, with names that nothing else has."""
    model = inliner.inline_local_functions(onnx.load_from_string(network))
    domains = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    if domains:
        raise DataError(
            f"{name} has operators of {', '.join(sorted(domains))}, and only standard ones go into the file: export "
            "without the encoder (--no-encoder), or the network without these operators"
        )
    try:
        model = version_converter.convert_version(model, OPSET)
    except (RuntimeError, ValueError) as e:
        (version,) = {o.version for o in model.opset_import if o.domain in ("", "ai.onnx")}
        raise DataError(
            f"{name} is of version {version} of ONNX's operators, and cannot be brought to version {OPSET} of the "
            f"file ({str(e).partition(chr(10))[0]}): export without the encoder (--no-encoder), or the network with "
            f"version {OPSET}"
        ) from e
    return compose.add_prefix(model, PREFIX)


def _input(model: ModelProto) -> ValueInfoProto:
    """Its one input; old files list their weights among the inputs."""
    weights = {value.name for value in model.graph.initializer}
    port: ValueInfoProto
    (port,) = (port for port in model.graph.input if port.name not in weights)
    return port
