"""Makes the files of an export, and compares each with rnnkit."""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from rnnkit.captioning.exporting.onnx import files
from rnnkit.captioning.exporting.onnx.compare import compare_features, compare_parts, compare_whole
from rnnkit.captioning.exporting.onnx.files import Plan
from rnnkit.captioning.exporting.onnx.network import traced
from rnnkit.captioning.exporting.search import Search
from rnnkit.kinds import Array, InOnnx, Rng
from rnnkit.network.model import Captioner

IMAGES: Final = 16
"""Images made of random numbers that are compared."""

PICTURES: Final = 3
"""Pictures of random pixels that are compared, which take longer."""


@attrs.frozen
class Made:
    """The files of an export.

    Attributes:
        files: the whole captioner; or what comes before the first word, and a step.
        takes: what the image comes as, such as "features (N, 512)".
        images: how many were compared.
        difference: the largest between ONNX Runtime and rnnkit.
    """

    files: tuple[ModelProto, ...]
    takes: str
    images: int
    difference: float


def make(
    model: Captioner, search: Search | None, encoder: InOnnx | None, features: Array | None
) -> Made:
    """Make the files.

    What is remembered is compared first, for it says best where a difference comes from; then what is written,
    from features; then the encoder, and what is written, from pictures, if there is one.

    Args:
        model: the network.
        search: for words; None for the parts.
        encoder: to be put before it.
        features: of images to compare, beside random ones.

    Raises:
        TraceError, DataError: as `export_onnx`.
    """
    network, rng = traced(model.afresh()), np.random.default_rng(0)
    images = rng.standard_normal((IMAGES, model.feature_width)).astype(np.float32)
    if features is not None:
        images = np.concatenate([images, model.as_features(features).astype(np.float32)])
    plan = Plan(network, None)
    given: dict[str, Any] = {files.FEATURES: images}
    made, largest = _compared(plan, None, given, images)
    compared = len(images)
    if search is not None:
        made, apart = _compared(plan, search, given, images)
        largest = max(largest, apart)
    if encoder is not None:
        plan = Plan(network, encoder)
        pictures, images = _pictures(model, plan, rng)
        given = {files.PIXELS: pictures}
        # Rounding in an encoder may be larger than in what follows, which is compared from the same features.
        images, rounding = compare_features(files.encoder_alone(plan), given, images)
        made, apart = _compared(plan, search, given, images)
        largest, compared = max(largest, rounding, apart), compared + len(images)
    return Made(made, _takes(plan), compared, largest)


def _compared(
    plan: Plan, search: Search | None, given: dict[str, Any], features: Array
) -> tuple[tuple[ModelProto, ...], float]:
    """The files of a plan, and their largest difference from rnnkit."""
    if search is None:
        begin, step = files.parts(plan)
        return (begin, step), compare_parts(begin, step, plan.network, given, features)
    whole = files.whole(plan, search)
    return (whole,), compare_whole(whole, plan.network.model, search, given, features)


def _pictures(model: Captioner, plan: Plan, rng: Rng) -> tuple[npt.NDArray[np.uint8], Array]:
    """Random pictures, as the file takes them, and their features."""
    pipeline = model.pipeline
    assert pipeline is not None  # it has the encoder
    _, height, width, channels = (n.dim_value for n in plan.image.type.tensor_type.shape.dim)
    coarse = rng.integers(0, 256, (PICTURES, 8, 8, channels), np.uint8)
    large = coarse.repeat(-(-height // 8), 1).repeat(-(-width // 8), 2)
    pictures = np.ascontiguousarray(large[:, :height, :width])
    return pictures, pipeline.project(pipeline.encoder.encode(pictures))


def _takes(plan: Plan) -> str:
    sizes = plan.image.type.tensor_type.shape.dim
    return f"{plan.takes} ({', '.join(str(n.dim_param or n.dim_value) for n in sizes)})"
