"""ONNX's own recurrent operators compute what rnnkit's cells do, with weights laid out as docs/howto/export.md says."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from rnnkit.kinds import Array, RecurrentCell, map_arrays
from rnnkit.network import Packing, recurrent_layer
from rnnkit.registry import load

N, T, D, H = 3, 5, 4, 6


def in_order(a: Array, own: str, theirs: str) -> Array:
    """The blocks of the last axis in another order of gates."""
    blocks = dict(zip(own, np.split(a, len(own), axis=-1), strict=True))
    return np.concatenate([blocks[gate] for gate in theirs], axis=-1)


def onnx_outputs(
    kind: str, x: Array, h0: Array, W: Array, R: Array, B: Array, **options: int
) -> Any:
    """(T, N, H), what the operator of ONNX gives for x (T, N, D)."""
    arrays = {"X": x, "W": W[None], "R": R[None], "B": B[None], "H": h0[None]}
    node = helper.make_node(kind, ["X", "W", "R", "B", "", "H"], ["Y"], hidden_size=H)
    node.attribute.extend(helper.make_attribute(key, value) for key, value in options.items())
    ports = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in arrays.items()
    ]
    y = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [T, 1, N, H])
    graph = helper.make_graph([node], "layer", ports, [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["Y"], {n: a.astype(np.float32) for n, a in arrays.items()})[0][:, 0]


@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru", "gru-reset-before"])
def test_weights_of_onnx_lie_as_the_page_says(name: str) -> None:
    rng = np.random.default_rng(0)
    layer = recurrent_layer(load(RecurrentCell, name)(), D, H, rng)
    layer = layer.with_params(map_arrays(lambda a: a + rng.normal(0, 0.3, a.shape), layer.params))
    x, h0 = rng.normal(size=(T, N, D)), rng.normal(size=(N, H))
    packing = Packing.of_mask(np.ones((N, T), bool))
    h, _ = layer.forward(packing.pack(x.transpose(1, 0, 2)), packing.enter(h0), packing)
    wanted = packing.unpack(h, T).transpose(1, 0, 2)
    p, zero = layer.params, np.zeros(H)
    if name == "vanilla":
        found = onnx_outputs("RNN", x, h0, p.Wx.T, p.Wh.T, np.concatenate([p.b, zero]))
    elif name == "lstm":
        W, R, b = (in_order(a, "ifog", "iofg") for a in (p.Wx, p.Wh, p.b))
        found = onnx_outputs("LSTM", x, h0, W.T, R.T, np.concatenate([b, np.zeros(4 * H)]))
    elif name == "gru":
        W, R, b = (in_order(a, "run", "urn") for a in (p.Wx, p.Wh, p.b))
        B = np.concatenate([b, zero, zero, p.cell.bn])
        found = onnx_outputs("GRU", x, h0, W.T, R.T, B, linear_before_reset=1)
    else:
        R = in_order(np.concatenate([p.Wh, p.Wn], axis=1), "run", "urn")
        W, b = (in_order(a, "run", "urn") for a in (p.Wx, p.b))
        found = onnx_outputs("GRU", x, h0, W.T, R.T, np.concatenate([b, np.zeros(3 * H)]))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
