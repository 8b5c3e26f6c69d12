"""Chang et al. (2019), equation 12, with epsilon = gamma = 0.1; the paper's W is the transpose of this one."""

import torch
from torch import Tensor, tanh


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, H), "W": (H, H), "b": (H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    W = p["W"].T
    matrix = W - W.T - 0.1 * torch.eye(len(W))
    columns = matrix @ s["h"].T + p["Wx"].T @ x.T + p["b"][:, None]
    return {"h": s["h"] + 0.1 * tanh(columns.T)}
