"""Feng et al. (2024), section 3.2, in the sequential form."""

from torch import Tensor, sigmoid


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 3 * H), "Wh": (H, 0), "b": (3 * H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    W_i, W_f, W_h = p["Wx"].chunk(3, dim=1)
    b_i, b_f, b_h = p["b"].chunk(3)
    f, i = sigmoid(x @ W_f + b_f), sigmoid(x @ W_i + b_i)
    return {"h": f / (f + i) * s["h"] + i / (f + i) * (x @ W_h + b_h)}
