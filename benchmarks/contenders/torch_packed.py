"""PyTorch on packed sequences, as an expert writes it: nothing is computed for padding."""

from __future__ import annotations

from collections.abc import Callable

import h5py
import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.contenders.torch_network import Network
from benchmarks.contenders.torch_padded import steps
from benchmarks.task import NULL, Task


def step(task: Task) -> Callable[[int], float]:
    """One update."""
    network = Network(task.problem, task.parameters)
    return steps(task, network, loss_of(network))


def loss_of(network: Network) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss as a function of a batch."""

    def loss(features: torch.Tensor, captions: torch.Tensor) -> torch.Tensor:
        pairs = torch.stack((captions[:, :-1], captions[:, 1:]), dim=2)
        lengths = (captions[:, 1:] != NULL).sum(dim=1)
        packed = pack_padded_sequence(pairs, lengths, batch_first=True, enforce_sorted=False)
        words, targets = packed.data.unbind(dim=1)
        h, _ = network.rnn(packed._replace(data=network.words(words)), network.begin(features))
        return cross_entropy(network.head(h.data), targets, reduction="sum") / len(captions)

    return loss


def epoch(task: Task) -> Callable[[int], float]:
    """One pass over the captions of a folder, reading it included; the mean loss of a caption."""
    assert task.data is not None
    folder, limit, N = task.data, task.limit, task.problem.batch
    network = Network(task.problem, task.parameters)
    loss = loss_of(network)

    def run(i: int) -> float:
        with h5py.File(folder / "captions.h5") as file:
            captions = torch.from_numpy(file["train_captions"][:limit].astype(np.int64))
            images = torch.from_numpy(file["train_image_idxs"][:limit].astype(np.int64))
        with h5py.File(folder / "features_train.h5") as file:
            features = torch.from_numpy(file["features"][:].astype(np.float32, copy=False))
        total = 0.0
        for rows in torch.randperm(len(captions)).split(N):
            total += network.update(loss, features[images[rows]], captions[rows]) * len(rows)
        return total / len(captions)

    return run
