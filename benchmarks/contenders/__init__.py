"""Those who are measured: a small file each, with a function from a `Task` to what runs on batch i."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen
class Contender:
    """Where a contender is.

    Attributes:
        module: in this package.
        start: its function.
        settled: whether its process is set up by `rnnkit.system.process`, as that of rnnkit's commands is.
    """

    module: str
    start: str
    settled: bool = False


CONTENDERS: Final = {
    "rnnkit": Contender("rnnkit_training", "step", settled=True),
    "torch_padded": Contender("torch_padded", "step"),
    "torch_packed": Contender("torch_packed", "step"),
    "torch_compiled": Contender("torch_compiled", "step"),
    "jax": Contender("jax_step", "step"),
    "plain_numpy": Contender("plain_numpy", "step"),
    "gemm_packed": Contender("products", "packed", settled=True),
    "gemm_torch": Contender("torch_products", "packed"),
    "gemm_bound": Contender("products", "distinct", settled=True),
    "rnnkit_parts": Contender("rnnkit_parts", "parts", settled=True),
    "rnnkit_epoch": Contender("rnnkit_training", "epoch", settled=True),
    "torch_epoch": Contender("torch_packed", "epoch"),
    "rnnkit_greedy": Contender("rnnkit_decoding", "greedy", settled=True),
    "rnnkit_beam": Contender("rnnkit_decoding", "beam", settled=True),
    "torch_greedy": Contender("torch_greedy", "greedy"),
    "onnx_greedy": Contender("onnx_greedy", "greedy"),
    "gemm_greedy": Contender("products", "greedy", settled=True),
}
