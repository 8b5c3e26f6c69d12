"""ONNX Runtime: the file that `rnnkit export MODEL captioner.onnx` writes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.network import network
from benchmarks.task import Task
from rnnkit.captioning.exporting import export_onnx
from rnnkit.data.photos.networks import open_session
from rnnkit.kinds.arrays import Ints


def greedy(task: Task) -> Callable[[int], Ints]:
    """Tokens (N, L), each the likeliest."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "captioner.onnx"
        export_onnx(network(task.problem, task.parameters), file)
        session = open_session(file.read_bytes(), str(file), "onnx")

    def run(i: int) -> Ints:
        tokens: Ints
        (tokens,) = session.run(["tokens"], {"features": task.batches[i].features})
        return tokens

    return run
