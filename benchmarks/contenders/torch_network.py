"""What the PyTorch contenders share: the modules of the network, with rnnkit's parameters, and Adam."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn

from benchmarks.task import LEARNING_RATE, Problem
from rnnkit.kinds.arrays import Array

torch.set_num_threads(len(os.sched_getaffinity(0)))

RNNS = {"vanilla": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
ORDER = {"vanilla": (0,), "lstm": (0, 1, 3, 2), "gru": (0, 1, 2)}
"""Where PyTorch's gates stand among rnnkit's: i f g o of i f o g, for an LSTM."""


class Network:
    """features -> h0; words -> rnn -> scores."""

    def __init__(self, problem: Problem, values: Mapping[str, Array]) -> None:
        p = problem
        self.cell = p.cell
        self.image = nn.Linear(p.features, p.hidden)
        self.words = nn.Embedding(p.vocabulary, p.width)
        self.rnn = RNNS[p.cell](p.width, p.hidden, batch_first=True)
        self.head = nn.Linear(p.hidden, p.vocabulary)
        with torch.no_grad():
            set_linear(self.image, values, "image.0")
            set_linear(self.head, values, "head.0")
            self.words.weight.copy_(torch.from_numpy(values["words.0.W"]))
            set_rnn(self.rnn, p.cell, values, suffix="_l0")
        modules = (self.image, self.words, self.rnn, self.head)
        parameters = itertools.chain.from_iterable(m.parameters() for m in modules)
        self.adam = torch.optim.Adam(list(parameters), lr=LEARNING_RATE, fused=True)

    def begin(self, features: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """The state before the first word, of one layer."""
        h0 = self.image(features)[None]
        return (h0, torch.zeros_like(h0)) if self.cell == "lstm" else h0

    def update(self, loss_of: Callable[..., torch.Tensor], *batch: torch.Tensor) -> float:
        """One update on a batch; its loss."""
        self.adam.zero_grad(set_to_none=True)
        loss = loss_of(*batch)
        loss.backward()
        self.adam.step()
        value: float = loss.item()
        return value


def set_linear(linear: nn.Linear, values: Mapping[str, Array], name: str) -> None:
    """Take over the parameters of an affine layer."""
    linear.weight.copy_(torch.from_numpy(values[f"{name}.W"].T))
    linear.bias.copy_(torch.from_numpy(values[f"{name}.b"]))


def set_rnn(rnn: nn.Module, cell: str, values: Mapping[str, Array], suffix: str = "") -> None:
    """Take over the parameters of a recurrent layer.

    PyTorch adds two biases, and would train both, so that their sum learns twice as fast. Of the second one only
    what a GRU's reset gate acts on is a parameter of its own; the rest stays 0.
    """

    def gates(name: str) -> torch.Tensor:
        blocks = np.split(values[f"rnn.0.{name}"], len(ORDER[cell]), axis=-1)
        return torch.from_numpy(np.concatenate([blocks[i] for i in ORDER[cell]], axis=-1).T)

    of = {name.removesuffix(suffix): p for name, p in rnn.named_parameters()}
    of["weight_ih"].copy_(gates("Wx"))
    of["weight_hh"].copy_(gates("Wh"))
    of["bias_ih"].copy_(gates("b"))
    second = of["bias_hh"].zero_()
    if cell == "gru":
        learns = torch.zeros_like(second)
        n = slice(2 * len(second) // 3, None)
        second[n] = torch.from_numpy(values["rnn.0.cell.bn"])
        learns[n] = 1.0
        second.register_hook(lambda gradient: gradient * learns)
    else:
        second.requires_grad_(False)
