"""Reads specs: a network, its data and its training, described in one TOML file."""

from rnnkit.spec.origin import Origin, Problem
from rnnkit.spec.plugins import load_plugin
from rnnkit.spec.reader import parse_spec, read_spec, source_of
from rnnkit.spec.schema import (
    CaptionTable,
    Chain,
    DataTable,
    GroupTable,
    Injection,
    ModelTable,
    RewardTable,
    RnnTable,
    Spec,
    TrainTable,
)
from rnnkit.spec.sweep import Variant, sweep
from rnnkit.spec.writer import write_spec

__all__ = [
    "CaptionTable",
    "Chain",
    "DataTable",
    "GroupTable",
    "Injection",
    "ModelTable",
    "Origin",
    "Problem",
    "RewardTable",
    "RnnTable",
    "Spec",
    "TrainTable",
    "Variant",
    "load_plugin",
    "parse_spec",
    "read_spec",
    "source_of",
    "sweep",
    "write_spec",
]
