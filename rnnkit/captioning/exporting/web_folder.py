"""A folder of static files that captions photos in the visitor's browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from rnnkit.data.preparing.new_folder import new_folder, writing
from rnnkit.errors import DataError, MissingPackage
from rnnkit.parallel import ALONE

if TYPE_CHECKING:
    from onnx import ModelProto

    from rnnkit.captioning.serving.models import Served
    from rnnkit.kinds import InOnnx

RUNTIME: Final = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
"""The files of the npm package onnxruntime-web that a page needs, in its folder `dist`."""

DECODERS: Final = ("greedy", "beam")
"""What the page can search with."""


def export_web(
    model: Path,
    out: Path,
    runtime: Path,
    data: Path | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> float:
    """Write the folder: the page of `rnnkit serve`, the network in ONNX, and ONNX Runtime for browsers.

    No server takes part: any web host can hand it out. Photos stay in the visitor's browser.

    Args:
        model: a model file, or a run's folder.
        out: the folder; must not be there.
        runtime: the folder `dist` of the npm package onnxruntime-web.
        data: a data folder that says how features come from photos, for a model that does not.
        note: called with a sentence if that folder is the model's own, and has changed.

    Returns:
        The largest difference between ONNX Runtime and rnnkit, for random images.

    Raises:
        DataError: the folder is there or cannot be written, a file of the runtime is missing, the model does not know
            its encoder, or that is no network in ONNX.
        TraceError: a plugin cannot be traced.
        MissingPackage: an extra is not installed.
    """
    missing = [name for name in RUNTIME if not (runtime / name).is_file()]
    if missing:
        raise DataError(
            f"{runtime} lacks {', '.join(missing)}; give the folder dist of the npm package onnxruntime-web, such as "
            "node_modules/onnxruntime-web/dist after: npm install onnxruntime-web"
        )
    try:
        from rnnkit.captioning.exporting.onnx.making import make
        from rnnkit.captioning.serving.models import open_models
    except ImportError as e:
        raise MissingPackage(
            f'{out} needs {e.name}: pip install "rnnkit[onnx,serve,photos]"'
        ) from e
    with new_folder(out, ALONE) as part, writing(out):
        (served,) = open_models([model], data, note)
        encoder = served.pipeline.encoder.in_onnx()
        if encoder is None:
            raise DataError(
                f"the encoder {served.pipeline.identity} is no network in ONNX, so no browser can run it; train on "
                "features of one that is, such as efficientnet-lite0"
            )
        network = attrs.evolve(served.model, pipeline=served.pipeline)
        made = make(network, None, encoder, None)
        for name, file in zip(("begin.onnx", "step.onnx"), made.files, strict=True):
            (part / name).write_bytes(file.SerializeToString())
        (part / "page").mkdir()
        for name, content in _page(served, encoder, _attention(made.files[1])):
            (part / name).write_bytes(content)
        (part / "runtime").mkdir()
        for name in RUNTIME:
            (part / "runtime" / name).write_bytes((runtime / name).read_bytes())
    return made.difference


def _attention(step: ModelProto) -> str | None:
    """The output that has the weights of the top layer that looks at regions."""
    names = [port.name for port in step.graph.output if port.name.startswith("attention.")]
    return names[-1] if names else None


def _page(served: Served, encoder: InOnnx, attention: str | None) -> Iterator[tuple[str, bytes]]:
    """The page and what it loads: path -> content."""
    from rnnkit.captioning.serving.page import parts, rendered

    about = _about(served, encoder, attention)
    yield "index.html", rendered(about, server=False).encode()
    yield "about.json", json.dumps(about, ensure_ascii=False).encode()
    own = {
        file.name: file
        for file in (resources.files("rnnkit.captioning.exporting") / "web").iterdir()
    }
    for file in (*(file for file in parts() if file.name not in own), *own.values()):
        yield f"page/{file.name}", file.read_bytes()


def _about(served: Served, encoder: InOnnx, attention: str | None) -> dict[str, Any]:
    """What a server says of itself, of this model alone, and what a browser must know to take its place."""
    from rnnkit.captioning.serving.about import about
    from rnnkit.captioning.serving.limits import Limits

    found, words, model = about([served], Limits()), served.model.vocabulary, served.model
    decoders = [decoder for decoder in found["decoders"] if decoder["name"] in DECODERS]
    (one,) = found["models"]
    own = one["decoder"] if one["decoder"]["use"] in DECODERS else {"use": DECODERS[0]}
    network = {
        "words": words.words,
        "joiner": words.joiner,
        "cut": words.cut,
        "special": {"start": words.start, "end": words.end},
        "limit": model.limit,
        "picture": dict(encoder.preparation),
        "attention": attention,
        "map": served.map,
    }
    models = [{**one, "samples": 0, "decoder": own}]
    return {**found, "models": models, "decoders": decoders, "network": network}
