"""Captioners with each cell of the zoo go out as ONNX, and say there what they say here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.exporting import export_onnx
from rnnkit.kinds import RecurrentCell
from rnnkit.registry import entries_of

CELLS = [entry.name for entry in entries_of(RecurrentCell) if entry.package == "rnnkit-zoo"]

SPEC = """
[data]
features = 9
vocabulary = 14
length = 8
[model]
words = {{ use = "embedding", dim = 10 }}
[[model.rnn]]
hidden = 12
cell = "{cell}"
"""


@pytest.mark.parametrize("cell", CELLS)
def test_captions_in_onnx_runtime_are_those_of_rnnkit(cell: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = rnnkit.build(rnnkit.parse_spec(SPEC.format(cell=cell)))
    rng = np.random.default_rng(4)
    for w in model.parameters.values():
        w += rng.normal(0.0, 0.4, w.shape).astype(w.dtype)
    exported = export_onnx(model, tmp_path / "c.onnx")
    assert exported.difference < 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "c.onnx"))
    features = rng.standard_normal((30, 9)).astype(np.float32)
    wanted = model.decode(features, "greedy")
    tokens, log_probs = session.run(["tokens", "log_probs"], {"features": features})
    np.testing.assert_array_equal(tokens, wanted.tokens[:, 0])
    np.testing.assert_allclose(log_probs, wanted.log_probs[:, 0], atol=1e-4)
