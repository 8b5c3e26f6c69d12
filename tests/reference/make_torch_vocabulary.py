"""Records what PyTorch computes for large vocabularies: writes torch_vocabulary.npz beside this file.

    pip install torch==2.13.0
    python tests/reference/make_torch_vocabulary.py

Everything is float64; weights are as PyTorch has them, (out, in). Keys:

    adaptive/CASE/   cutoffs, shrink; x (M, D), targets (M,), log_probs (M,) of them, every (M, V) of all; dx and d.NAME,
                     the gradients of -sum of log_probs; p.NAME, the parameters by their names in the state dict
    sparse/          start (6, 4); tokens (20, 3) and dy (20, 3, 4), whose sums are the gradients
    sparse/CASE/     w (20, 6, 4) after each update
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)

recorded: dict[str, Any] = {}


def record(case: str, **tensors: Tensor) -> None:
    recorded.update({f"{case}/{name}": t.detach().numpy() for name, t in tensors.items()})


def adaptive() -> None:
    M, D, V = 40, 24, 30
    for case, cutoffs, shrink in (
        ("two clusters", [7, 15], 2.0),
        ("three clusters", [2, 9, 29], 2.5),
        ("one cluster", [20], 1.0),
    ):
        module = nn.AdaptiveLogSoftmaxWithLoss(D, V, cutoffs, shrink, head_bias=True)
        for w in module.parameters():
            nn.init.normal_(w, std=0.7)
        x, targets = torch.randn(M, D, requires_grad=True), torch.randperm(M) % V
        log_probs, _ = module(x, targets)
        named = dict(module.named_parameters())
        dx, *grads = torch.autograd.grad(-log_probs.sum(), [x, *named.values()])
        record(
            f"adaptive/{case}",
            cutoffs=torch.tensor(cutoffs),
            shrink=torch.tensor(shrink),
            x=x,
            targets=targets,
            log_probs=log_probs,
            every=module.log_prob(x),
            dx=dx,
            **{f"p.{name}": w for name, w in named.items()},
            **{f"d.{name}": d for name, d in zip(named, grads, strict=True)},
        )


def sparse() -> None:
    start, tokens, dy = torch.randn(6, 4), torch.randint(0, 6, (20, 3)), torch.randn(20, 3, 4)
    tokens[3:9] %= 2  # so that some rows rest for a while
    record("sparse", start=start, tokens=tokens, dy=dy)
    make: Callable[[list[Tensor]], torch.optim.Optimizer]
    for case, make in {
        # With an epsilon that does not matter: SparseAdam adds it before the bias is corrected, Adam behind that.
        "adam": lambda w: torch.optim.SparseAdam(w, 0.05, eps=1e-20),
        "adam other": lambda w: torch.optim.SparseAdam(w, 0.1, betas=(0.7, 0.8), eps=1e-20),
        "sgd": lambda w: torch.optim.SGD(w, 0.1),
        "adagrad": lambda w: torch.optim.Adagrad(w, 0.1),
    }.items():
        w, path = nn.Parameter(start.clone()), []
        optimizer = make([w])
        for rows, d in zip(tokens, dy, strict=True):
            optimizer.zero_grad()
            (F.embedding(rows, w, sparse=True) * d).sum().backward()
            optimizer.step()
            path.append(w.detach().clone())
        record(f"sparse/{case}", w=torch.stack(path))


def main() -> None:
    adaptive()
    sparse()
    np.savez_compressed(Path(__file__).with_name("torch_vocabulary.npz"), **recorded)


if __name__ == "__main__":
    main()
