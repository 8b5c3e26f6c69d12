"""Lei et al. (2018), section 3, with a fourth projection in the place of x in the highway."""

import torch
from torch import Tensor, sigmoid


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 4 * H), "Wh": (H, 0), "b": (4 * H,), "cell.f": (H,), "cell.r": (H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": torch.zeros_like(h0), "c": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    W_f, W_r, W, W_highway = p["Wx"].chunk(4, dim=1)
    b_f, b_r, b, b_highway = p["b"].chunk(4)
    f = sigmoid(x @ W_f + p["cell.f"] * s["c"] + b_f)
    r = sigmoid(x @ W_r + p["cell.r"] * s["c"] + b_r)
    c = f * s["c"] + (1 - f) * (x @ W + b)
    return {"h": r * c + (1 - r) * (x @ W_highway + b_highway), "c": c}
