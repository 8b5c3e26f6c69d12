"""Networks of every sort to export, and whether what is exported captions as they do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import onnx
import onnxruntime

import rnnkit
from rnnkit import registry
from rnnkit.data.photos.identity import identity_of
from rnnkit.data.photos.pca import PCA
from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.kinds import Array, Encoder, RecurrentCell

SPECS: Final = Path(__file__).parents[1] / "specs"

NODE_MODULES: Final = Path(__file__).parents[1] / "examples/onnx/node_modules"
"""What .ci/node installs."""

OF_CELL: Final = """
[model]
words = {{ use = "embedding", dim = 16 }}
image = {image}
[[model.rnn]]
hidden = 24
cell = {cell}
"""

OF_KIND: Final = {
    "pre": """
        [model]
        inject = "pre"
        words = [{ use = "embedding", dim = 16 }, "layer-norm"]
        [[model.rnn]]
        hidden = 24
        cell = "gru"
        """,
    "par": """
        [model]
        inject = "par"
        image = [{ use = "affine", units = 20 }, "relu"]
        words = [{ use = "embedding", dim = 16 }, { use = "dropout", rate = 0.5 }]
        [[model.rnn]]
        hidden = 24
        cell = "lstm"
        """,
    "merge": """
        [model]
        inject = "merge"
        image = { use = "affine", units = 20 }
        head = ["gelu", { use = "affine", units = 30 }, "layer-norm", "softplus", "silu", "affine"]
        words = { use = "embedding", dim = 16 }
        [[model.rnn]]
        hidden = 24
        cell = "peephole-lstm"
        """,
    "stacked": """
        [model]
        words = { use = "embedding", dim = 16 }
        [[model.rnn]]
        hidden = 24
        cell = "lstm"
        [[model.rnn]]
        hidden = 20
        cell = "gru-reset-before"
        input = ["layer-norm", "elu", { use = "dropout", rate = 0.5 }]
        [[model.rnn]]
        hidden = 16
        cell = { use = "vanilla", activation = "sigmoid" }
        """,
    "characters": """
        [data]
        tokens = "char"
        [model]
        words = { use = "embedding", dim = 16 }
        [[model.rnn]]
        hidden = 24
        cell = "gru"
        [caption]
        unknown = true
        """,
}
"""Networks that differ in more than their cell."""


OF_PICTURES: Final = """
[data]
features = {features}
vocabulary = 20
length = 9
[model]
words = {{ use = "embedding", dim = 8 }}
[[model.rnn]]
hidden = 12
cell = "gru"
"""
"""Over the features of pictures."""


def texts_of_cells(package: str) -> Iterator[tuple[str, str]]:
    """The name of each cell of a package, and a spec with it."""
    for entry in registry.entries_of(RecurrentCell):
        if entry.package == package:
            looks = entry.name == "attention-lstm"
            cell = '{ use = "attention-lstm", regions = 6 }' if looks else f'"{entry.name}"'
            image = '{ use = "regions", count = 6 }' if looks else '"affine"'
            yield entry.name, OF_CELL.format(image=image, cell=cell)


def network(spec: str | Path, data: Path | None) -> rnnkit.Captioner:
    """The network of a spec over a data folder, with parameters of a size that gives captions of many sorts."""
    read = rnnkit.read_spec(spec) if isinstance(spec, Path) else rnnkit.parse_spec(spec)
    model = rnnkit.build(read, data)
    rng = np.random.default_rng(7)
    for name, w in model.parameters.items():
        # Large recurrent weights make chaos, in which rounding grows from step to step.
        size = 0.5 if name.startswith("rnn.") else 1.5
        spread = size / np.sqrt(len(w)) if w.ndim > 1 else 0.1
        w += rng.normal(0.0, spread, w.shape).astype(w.dtype)
    return model


@attrs.frozen
class Agreement:
    """How captions of ONNX Runtime and of rnnkit compare.

    Attributes:
        images: how many.
        captions: how many different ones rnnkit has among them.
        other: images whose captions differ.
        apart: the largest difference of the log probability of a caption.
    """

    images: int
    captions: int
    other: int
    apart: float


def agreement(file: Path, model: rnnkit.Captioner, features: Array, batch: int) -> Agreement:
    """Compare greedy captions, `batch` images at a time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    said, other, apart = set(), 0, 0.0
    for begin in range(0, len(features), batch):
        some = features[begin : begin + batch].astype(np.float32)
        wanted = model.decode(some, "greedy")
        tokens, log_probs = session.run(["tokens", "log_probs"], {"features": some})
        texts = [model.vocabulary.decode(row) for row in wanted.tokens[:, 0]]
        found = [model.vocabulary.decode(row) for row in tokens]
        said |= set(texts)
        other += sum(a != b for a, b in zip(texts, found, strict=True))
        apart = max(apart, float(np.abs(log_probs - wanted.log_probs[:, 0]).max()))
    return Agreement(len(features), len(said), other, apart)


def images(data: Path, count: int) -> Array:
    """The features of the first training images of a data folder."""
    with rnnkit.open_data(data) as dataset:
        return dataset.split("train").features.rows(np.arange(count), np.dtype(np.float32))


def with_encoder(
    model: rnnkit.Captioner, pca: bool, name: str = "onnx", **options: Any
) -> rnnkit.Captioner:
    """A network that knows an encoder of as many features, or of more and a projection."""
    encoder = rnnkit.load_plugin("encoder", name, **options)
    return attrs.evolve(model, pipeline=pipeline_of(encoder, model.feature_width if pca else None))


def pipeline_of(encoder: Encoder, width: int | None) -> ImagePipeline:
    rng, F = np.random.default_rng(1), int(np.prod(encoder.shape))
    projection = None
    if width is not None:
        projection = PCA(rng.normal(size=F), rng.normal(size=(width, F)), 0.3)
    return ImagePipeline(identity_of(encoder), projection)


def encoder_file(folder: Path, layout: str) -> Path:
    """A network of pictures with the names that the captioner's graph has, of another version of the operators."""
    h = onnx.helper
    shape: list[str | int | None]
    shape = ["N", 3, 10, 10] if layout == "nchw" else ["N", 10, 10, 3]
    kernel = np.random.default_rng(2).normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = []
    x = "features"
    if layout == "nhwc":
        nodes.append(h.make_node("Transpose", [x], ["constant_1"], perm=[0, 3, 1, 2]))
        x = "constant_1"
    nodes.append(h.make_node("Conv", [x, "image.0.W"], ["add_1"], strides=[3, 3]))
    nodes.append(h.make_node("Tanh", ["add_1"], ["tokens"]))
    out = "tokens"
    if layout == "nhwc":
        nodes.append(h.make_node("Transpose", [out], ["map"], perm=[0, 2, 3, 1]))
        out = "map"
    graph = h.make_graph(
        nodes,
        "pictures",
        [h.make_tensor_value_info("features", onnx.TensorProto.FLOAT, shape)],
        [h.make_tensor_value_info(out, onnx.TensorProto.FLOAT, ["N", None, None, None])],
        [onnx.numpy_helper.from_array(kernel, "image.0.W")],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / f"{layout}.onnx")
    return folder / f"{layout}.onnx"
