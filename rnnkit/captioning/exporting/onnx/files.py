"""A captioner as files of ONNX: whole, or its two parts."""

from __future__ import annotations

import json
from collections.abc import Mapping

import attrs
import onnx
from onnx import ModelProto, ValueInfoProto, helper

from rnnkit.captioning.exporting.onnx.beam import put_beam
from rnnkit.captioning.exporting.onnx.greedy import put_greedy
from rnnkit.captioning.exporting.onnx.network import Traced
from rnnkit.captioning.exporting.onnx.pixels import put_features
from rnnkit.captioning.exporting.onnx.scope import IR_VERSION, OPSET, Scope, port
from rnnkit.captioning.exporting.search import Search
from rnnkit.kinds import InOnnx
from rnnkit.network.model import Captioner
from rnnkit.registry.labels import label
from rnnkit.system.version import __version__

FEATURES, PIXELS = "features", "pixels"


@attrs.frozen(eq=False)
class Plan:
    """What is to be in a file.

    Attributes:
        network: the captioner.
        encoder: what is put before it; None to take features.
    """

    network: Traced
    encoder: InOnnx | None

    @property
    def takes(self) -> str:
        """The name of the input for images."""
        return FEATURES if self.encoder is None else PIXELS

    @property
    def image(self) -> ValueInfoProto:
        """That input."""
        if self.encoder is None:
            return port(FEATURES, "f", ["N", self.network.model.feature_width])
        size = int(self.encoder.preparation["size"] or 0)
        return port(PIXELS, "u", ["N", size, size, 3])

    def put_features(self, scope: Scope) -> str:
        """The name of the features that the captioner takes."""
        pipeline = self.network.model.pipeline
        if self.encoder is None or pipeline is None:
            return FEATURES
        return put_features(scope, PIXELS, self.encoder, pipeline)


def whole(plan: Plan, search: Search) -> ModelProto:
    """Images -> tokens, their log probabilities, and those of the captions.

    Raises:
        DataError: the encoder cannot be put into the file.
        TraceError: a plugin has an operation that ONNX has not.
    """
    scope, model = Scope(), plan.network.model
    rows = scope.op("Shape", plan.takes, start=0, end=1)
    memory = plan.network.put_begin(scope, plan.put_features(scope), rows)
    if search.width is None:
        found = put_greedy(scope, plan.network, memory, rows, search.no_repeat)
        each: list[int | str] = ["N"]
    else:
        found = put_beam(scope, plan.network, memory, rows, search)
        each = ["N", search.width]
    shapes = {"tokens": [*each, "L"], "token_log_probs": [*each, "L"], "log_probs": each}
    outputs = [port(scope.call(n, found[n]), _kind(n), shape) for n, shape in shapes.items()]
    graph = scope.graph("captioner", [plan.image], outputs)
    return finished(graph, {**_about(model, plan), "decoder": label(search.decoder)})


def parts(plan: Plan) -> tuple[ModelProto, ModelProto]:
    """Images -> memory; tokens, memory -> log probabilities, memory: for searches of other programs.

    Raises:
        DataError, TraceError: as `whole`.
    """
    network, scope = plan.network, Scope()
    ports = [port(slot.name, "f", ["N", *slot.shape]) for slot in network.memory]
    rows = scope.op("Shape", plan.takes, start=0, end=1)
    memory = network.put_begin(scope, plan.put_features(scope), rows)
    for slot in network.memory:
        scope.call(slot.name, memory[slot.name])
    begin = scope.graph("begin", [plan.image], ports)

    scope = Scope()
    rows = scope.op("Shape", "tokens", start=0, end=1)
    found = network.put_step(
        scope, "tokens", {slot.name: slot.name for slot in network.memory}, rows
    )
    V = len(network.model.vocabulary)
    outputs = [port(scope.call("log_probs", found["log_probs"]), "f", ["N", V])]
    for slot in network.memory:
        name = scope.call(f"next.{slot.name}", found[slot.name])
        outputs.append(port(name, "f", ["N", *slot.shape]))
    outputs += [port(scope.call(n, found[n]), "f", ["N", None]) for n in network.attention]
    step = scope.graph("step", [port("tokens", "i", ["N"]), *ports], outputs)
    about = _about(network.model, plan)
    return finished(begin, about), finished(step, about)


def encoder_alone(plan: Plan) -> ModelProto:
    """Images -> features, to be compared.

    Raises:
        DataError: as `whole`.
    """
    scope, width = Scope(), plan.network.model.feature_width
    name = scope.call("found", plan.put_features(scope))
    graph = scope.graph("encoder", [plan.image], [port(name, "f", ["N", width])])
    return finished(graph, {})


def _kind(name: str) -> str:
    return "i" if name == "tokens" else "f"


def _about(model: Captioner, plan: Plan) -> dict[str, str]:
    """What a program must know: words, special tokens, and how to prepare a picture."""
    words, pipeline = model.vocabulary, model.pipeline
    special = {
        "null": words.null,
        "start": words.start,
        "end": words.end,
        "unknown": words.unknown,
    }
    about: dict[str, object] = {
        "words": words.words,
        "joiner": words.joiner,
        "cut": words.cut,
        "special": special,
        "limit": model.limit,
    }
    if plan.encoder is not None:
        about["picture"] = {**plan.encoder.preparation, "channels": "RGB"}
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in about.items()}
    return texts | ({} if pipeline is None else {"encoder": str(pipeline.identity)})


def finished(graph: onnx.GraphProto, about: Mapping[str, str]) -> ModelProto:
    """The file of a graph, with these texts as its metadata, checked."""
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="rnnkit",
        producer_version=__version__,
    )
    helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model, full_check=True)
    return model
