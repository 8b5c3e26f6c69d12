"""Zhou et al. (2016), the equations of the minimal gated unit; products of [h, x] with one matrix for each gate."""

import torch
from torch import Tensor, sigmoid, tanh


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 2 * H), "Wf": (H, H), "Wn": (H, H), "b": (2 * H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    h, H = s["h"], s["h"].shape[1]
    W_f = torch.cat((p["Wf"], p["Wx"][:, :H]))
    W_h = torch.cat((p["Wn"], p["Wx"][:, H:]))
    f = sigmoid(torch.cat((h, x), dim=1) @ W_f + p["b"][:H])
    candidate = tanh(torch.cat((f * h, x), dim=1) @ W_h + p["b"][H:])
    return {"h": (1 - f) * h + f * candidate}
