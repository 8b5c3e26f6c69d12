"""The padded PyTorch step through torch.compile, which leaves the recurrence itself to PyTorch's own kernel.

(That is PyTorch's default; told otherwise by `torch._dynamo.config.allow_rnn`, it compiles for a minute.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.contenders.torch_network import Network
from benchmarks.contenders.torch_padded import loss_of, steps
from benchmarks.task import Task


def step(task: Task) -> Callable[[int], float]:
    """One update."""
    network = Network(task.problem, task.parameters)
    return steps(task, network, torch.compile(loss_of(network)))
