"""Greff et al. (2017): the equations of section II without peepholes, with i = 1 - f."""

import torch
from torch import Tensor


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 3 * H), "Wh": (H, 3 * H), "b": (3 * H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0, "c": torch.zeros_like(h0)}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    def sums(gate: int) -> Tensor:
        W, R, b = (p[name].tensor_split(3, dim=-1)[gate] for name in ("Wx", "Wh", "b"))
        return x @ W + s["h"] @ R + b

    forget, output, block_input = sums(0).sigmoid(), sums(1).sigmoid(), sums(2).tanh()
    c = block_input * (1 - forget) + s["c"] * forget
    return {"h": c.tanh() * output, "c": c}
