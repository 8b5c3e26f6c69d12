"""Writes plugins/rnnkit_builtin/encoders/smallest.onnx, which the harness checks the encoder `onnx` with."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto, helper, save

TO = Path(__file__).parents[2] / "plugins/rnnkit_builtin/encoders/smallest.onnx"


def main() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", "a", "b", "c"))
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, ("N", "a"))
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("ReduceMean", ["y"], ["mean"], axes=[2, 3], keepdims=0),
    ]
    graph = helper.make_graph(nodes, "smallest", [x], [mean])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), TO)


if __name__ == "__main__":
    main()
