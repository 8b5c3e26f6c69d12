"""PyTorch on padded sequences, as most write it: every position is computed, and the loss ignores the padding."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from benchmarks.contenders.torch_network import Network
from benchmarks.task import NULL, Task


def step(task: Task) -> Callable[[int], float]:
    """One update."""
    network = Network(task.problem, task.parameters)
    return steps(task, network, loss_of(network))


def steps(
    task: Task, network: Network, loss: Callable[..., torch.Tensor]
) -> Callable[[int], float]:
    """One update by a loss of features (N, F) and captions (N, T)."""
    batches = [
        (torch.from_numpy(b.features), torch.from_numpy(b.captions).long()) for b in task.batches
    ]
    return lambda i: network.update(loss, *batches[i])


def loss_of(network: Network) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss as a function of a batch."""

    def loss(features: torch.Tensor, captions: torch.Tensor) -> torch.Tensor:
        words, targets = captions[:, :-1], captions[:, 1:]
        h, _ = network.rnn(network.words(words), network.begin(features))
        scores = network.head(h).flatten(0, 1)
        total = cross_entropy(scores, targets.flatten(), ignore_index=NULL, reduction="sum")
        return total / len(captions)

    return loss
