"""What plugins are written against: an interface for each kind, such as cell, layer or optimizer.

Everything a plugin needs is importable from here, and from `rnnkit.numerics`.
"""

from rnnkit.kinds.activation import Activation
from rnnkit.kinds.arrays import (
    Array,
    Arrays,
    DType,
    Ints,
    Mask,
    NoParams,
    Params,
    Rng,
    Scalar,
    Slots,
    State,
    map_arrays,
    named_arrays,
)
from rnnkit.kinds.cell import Cell, GatedCell, RecurrentCell
from rnnkit.kinds.decoder import Decoded, Decoder, M, Memory
from rnnkit.kinds.decoding import block_repeats, finished, word_by_word
from rnnkit.kinds.encoder import Encoder, InOnnx, Picture, Prepared
from rnnkit.kinds.initializer import Initializer, weights
from rnnkit.kinds.layer import Layer, SummingLayer
from rnnkit.kinds.likelihood import LikelihoodLayer
from rnnkit.kinds.loss import Loss
from rnnkit.kinds.optimizer import Optimizer
from rnnkit.kinds.plugin import API, Plugin
from rnnkit.kinds.reward import Judge, Reward, Words
from rnnkit.kinds.schedule import Progress, Schedule
from rnnkit.kinds.step_only import FreeStep, GatedStep

KINDS: tuple[type[Plugin], ...] = (
    Activation,
    Layer,
    RecurrentCell,
    Loss,
    Optimizer,
    Schedule,
    Initializer,
    Decoder,
    Encoder,
    Reward,
)
"""Every kind, one for each entry-point group."""

__all__ = [
    "API",
    "KINDS",
    "Activation",
    "Array",
    "Arrays",
    "Cell",
    "DType",
    "Decoded",
    "Decoder",
    "Encoder",
    "FreeStep",
    "GatedCell",
    "GatedStep",
    "InOnnx",
    "Initializer",
    "Ints",
    "Judge",
    "Layer",
    "LikelihoodLayer",
    "Loss",
    "M",
    "Mask",
    "Memory",
    "NoParams",
    "Optimizer",
    "Params",
    "Picture",
    "Plugin",
    "Prepared",
    "Progress",
    "RecurrentCell",
    "Reward",
    "Rng",
    "Scalar",
    "Schedule",
    "Slots",
    "State",
    "SummingLayer",
    "Words",
    "block_repeats",
    "finished",
    "map_arrays",
    "named_arrays",
    "weights",
    "word_by_word",
]
