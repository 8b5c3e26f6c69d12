"""Brings captioners to other programs, and weights from there: PyTorch's state dicts."""

from rnnkit.captioning.exporting.importing import import_torch
from rnnkit.captioning.exporting.safetensors_file import read_torch, write_torch
from rnnkit.captioning.exporting.torch_layout import from_torch, to_torch

__all__ = ["from_torch", "import_torch", "read_torch", "to_torch", "write_torch"]
