"""Records captioners made of PyTorch's own modules, and what they say: writes torch_captioners/ beside this file.

    pip install torch==2.13.0 safetensors
    python tests/reference/make_torch_captioners.py

CASE.safetensors is the state dict, as `safetensors.torch.save_file` writes it; captions.npz has for each case

    CASE/tokens      (N, T - 1), the greedy captions of `features` (N, F), END tokens after the first
    CASE/log_probs   (N,), of the captions, their END included

Tokens 0 to 3 are NULL, START, END and UNKNOWN, of which only END may appear.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

OUT = Path(__file__).with_name("torch_captioners")

N, F, V, D, H, T = 16, 6, 15, 5, 8, 9
START, END, BANNED = 1, 2, [0, 1, 3]

torch.manual_seed(7)
FEATURES = torch.randn(N, F)


class OfLists(nn.Module):  # type: ignore[misc]  # mypy does not know torch
    """An LSTM from h0, its parts in lists, as rnnkit names them."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Sequential(nn.Linear(F, 10), nn.Tanh(), nn.Linear(10, H))
        self.words = nn.Sequential(nn.Embedding(V, D), nn.LayerNorm(D))
        self.rnn = nn.ModuleList([nn.LSTM(D, H, batch_first=True)])
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(H, V))

    def begin(self, features: Tensor) -> tuple[Tensor, Tensor]:
        h0 = self.image(features)[None]
        return h0, torch.zeros_like(h0)

    def step(
        self, tokens: Tensor, state: tuple[Tensor, Tensor], features: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, state = self.rnn[0](self.words(tokens[:, None]), state)
        return self.head(h[:, 0]), state


class OfNames(nn.Module):  # type: ignore[misc]  # mypy does not know torch
    """Two layers of GRU from h0 of both, with names of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(F, 2 * H)
        self.embed = nn.Embedding(V, D)
        self.gru = nn.GRU(D, H, num_layers=2, batch_first=True)
        self.fc = nn.Linear(H, V)

    def begin(self, features: Tensor) -> Tensor:
        return self.project(features).view(-1, 2, H).transpose(0, 1).contiguous()

    def step(self, tokens: Tensor, state: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        h, state = self.gru(self.embed(tokens[:, None]), state)
        return self.fc(h[:, 0]), state


class Beside(nn.Module):  # type: ignore[misc]  # mypy does not know torch
    """A plain recurrent layer with ReLU that reads the image beside every word."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.ModuleList([nn.Linear(F, 4)])
        self.words = nn.ModuleList([nn.Embedding(V, D)])
        self.rnn = nn.RNN(D + 4, H, nonlinearity="relu", batch_first=True)
        self.head = nn.ModuleList([nn.Linear(H, V)])

    def begin(self, features: Tensor) -> Tensor:
        return torch.zeros(1, len(features), H)

    def step(self, tokens: Tensor, state: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cat([self.words[0](tokens), self.image[0](features)], dim=1)
        h, state = self.rnn(x[:, None], state)
        return self.head[0](h[:, 0]), state


@torch.no_grad()  # type: ignore[untyped-decorator]  # mypy does not know torch
def captions(model: nn.Module) -> tuple[Tensor, Tensor]:
    """The greedy captions (N, T - 1) and their log probabilities (N,)."""
    state, last = model.begin(FEATURES), torch.full((N,), START)
    tokens, total = torch.full((N, T - 1), END), torch.zeros(N)
    live = torch.ones(N, dtype=torch.bool)
    for t in range(T - 1):
        scores, state = model.step(last, state, FEATURES)
        log_probs = scores.log_softmax(1)
        log_probs[:, BANNED] = -torch.inf
        gained, last = log_probs.max(1)
        tokens[live, t] = last[live]
        total[live] += gained[live]
        live &= last != END
    return tokens, total


def main() -> None:
    OUT.mkdir(exist_ok=True)
    recorded = {"features": FEATURES.numpy()}
    for case, made in (("lstm", OfLists), ("gru", OfNames), ("rnn", Beside)):
        model = made().eval()
        for w in model.parameters():  # far from their small initial values, so that captions differ
            nn.init.normal_(w, std=0.6)
        save_file(model.state_dict(), OUT / f"{case}.safetensors")
        tokens, total = captions(model)
        print(case, len({tuple(row) for row in tokens.tolist()}), "captions;", tokens[0].tolist())
        recorded |= {f"{case}/tokens": tokens.numpy(), f"{case}/log_probs": total.numpy()}
    np.savez_compressed(OUT / "captions.npz", **recorded)


if __name__ == "__main__":
    main()
