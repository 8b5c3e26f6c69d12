"""Feng et al. (2024), section 3.1, in the sequential form."""

from torch import Tensor, sigmoid


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 2 * H), "Wh": (H, 0), "b": (2 * H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    W_z, W_h = p["Wx"].chunk(2, dim=1)
    b_z, b_h = p["b"].chunk(2)
    z = sigmoid(x @ W_z + b_z)
    return {"h": (1 - z) * s["h"] + z * (x @ W_h + b_h)}
