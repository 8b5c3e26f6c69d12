"""The bare matrix products of a training step, made by PyTorch: no step of PyTorch can be faster."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from benchmarks.contenders import products
from benchmarks.task import Task

torch.set_num_threads(len(os.sched_getaffinity(0)))


def packed(task: Task) -> Callable[[int], None]:
    """Those of a step that projects every token."""
    return products.packed_by(task, torch.matmul, torch.from_numpy)
