"""Brings captioners to other programs, as ONNX or as PyTorch's state dicts, and weights from there."""

from rnnkit.captioning.exporting.importing import import_torch
from rnnkit.captioning.exporting.onnx_file import Exported, export_onnx
from rnnkit.captioning.exporting.safetensors_file import read_torch, write_torch
from rnnkit.captioning.exporting.search import Search
from rnnkit.captioning.exporting.torch_layout import from_torch, to_torch
from rnnkit.captioning.exporting.traced_encoder import encode_in_onnx
from rnnkit.captioning.exporting.web_folder import export_web

__all__ = [
    "Exported",
    "Search",
    "encode_in_onnx",
    "export_onnx",
    "export_web",
    "from_torch",
    "import_torch",
    "read_torch",
    "to_torch",
    "write_torch",
]
