"""PyTorch: captions word by word, the likeliest each time, until every caption has ended."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from benchmarks.contenders.torch_network import set_linear, set_rnn
from benchmarks.task import END, NULL, START, UNKNOWN, Task
from rnnkit.kinds.arrays import Ints


def greedy(task: Task) -> Callable[[int], Ints]:
    """Tokens (N, L) of an LSTM."""
    p, values = task.problem, task.parameters
    image, cell = nn.Linear(p.features, p.hidden), nn.LSTMCell(p.width, p.hidden)
    words, head = nn.Embedding(p.vocabulary, p.width), nn.Linear(p.hidden, p.vocabulary)
    with torch.no_grad():
        set_linear(image, values, "image.0")
        set_linear(head, values, "head.0")
        words.weight.copy_(torch.from_numpy(values["words.0.W"]))
        set_rnn(cell, p.cell, values)
    batches = [torch.from_numpy(batch.features) for batch in task.batches]
    banned = torch.tensor([NULL, START, UNKNOWN])

    def run(i: int) -> Ints:
        with torch.inference_mode():
            h = image(batches[i])
            c = torch.zeros_like(h)
            last = torch.full((len(h),), START)
            ended = torch.zeros(len(h), dtype=torch.bool)
            tokens = []
            for _ in range(p.length - 1):
                h, c = cell(words(last), (h, c))
                scores = head(h)
                scores[:, banned] = -torch.inf
                last = scores.argmax(dim=1).masked_fill_(ended, END)
                tokens.append(last)
                ended |= last == END
                if ended.all():
                    break
            stacked: Ints = torch.stack(tokens, dim=1).numpy()
            return stacked

    return run
