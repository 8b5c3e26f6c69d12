"""Beck et al. (2024), the sLSTM's equations as they are before its stabilizer, which must not change the output."""

import torch
from torch import Tensor, sigmoid, tanh


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0, "c": torch.zeros_like(h0), "n": torch.zeros_like(h0)}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    i, f, o, z = (x @ p["Wx"] + s["h"] @ p["Wh"] + p["b"]).chunk(4, dim=1)
    c = sigmoid(f) * s["c"] + torch.exp(i) * tanh(z)
    n = sigmoid(f) * s["n"] + torch.exp(i)
    return {"h": sigmoid(o) * c / n, "c": c, "n": n}
