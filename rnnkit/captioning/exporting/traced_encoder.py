"""An encoder that is written in NumPy, as a network in ONNX."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rnnkit.errors import MissingPackage
from rnnkit.kinds import Array, Picture
from rnnkit.tracing import Sizes, trace


def encode_in_onnx(encode: Callable[[Picture], Array], size: int) -> bytes:
    """Trace what computes features, for `Encoder.in_onnx`.

    Args:
        encode: pictures (N, size, size, 3) of uint8 -> features (N, F), or a map; in operations that do the same for any
            N, without a loop over pictures or blocks of them.
        size: of the pictures.

    Returns:
        An ONNX file with the input `pictures` and the output `features`.

    Raises:
        TraceError: it cannot be traced, or uses what ONNX has not; with the line, and what to write instead.
        MissingPackage: onnx is not installed.
    """
    try:
        from rnnkit.captioning.exporting.onnx.emitter import emit
        from rnnkit.captioning.exporting.onnx.files import finished
        from rnnkit.captioning.exporting.onnx.scope import Scope, port
        from rnnkit.captioning.exporting.onnx.values import Values
    except ImportError as e:
        raise MissingPackage('an encoder goes to ONNX with onnx: pip install "rnnkit[onnx]"') from e

    def pictures(sizes: Sizes, rng: np.random.Generator) -> dict[str, Picture]:
        return {"pictures": rng.integers(0, 256, (sizes["N"], size, size, 3), np.uint8)}

    graph = trace(lambda a, _: {"features": encode(a["pictures"])}, pictures)
    scope = Scope()
    rows = scope.op("Shape", "pictures", start=0, end=1)
    whole = scope.cast("pictures", "u", "i")  # as wide as whole numbers are everywhere here
    found = emit(graph, Values(scope, rows), {"pictures": whole})["features"]
    shape = [n if isinstance(n, int) else None for n in graph.outputs["features"].shape]
    made = scope.graph(
        "encoder",
        [port("pictures", "u", ["N", size, size, 3])],
        [port(scope.call("features", found), "f", shape)],
    )
    data: bytes = finished(made, {}).SerializeToString()
    return data
