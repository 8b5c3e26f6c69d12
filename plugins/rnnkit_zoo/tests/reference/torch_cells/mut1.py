"""Jozefowicz et al. (2015), MUT1, whose tanh(x) takes a projection of x here."""

from torch import Tensor, sigmoid, tanh


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 3 * H), "Wh": (H, H), "b": (3 * H,), "cell.Wn": (H, H), "cell.bn": (H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    W_xz, W_xr, W_x = p["Wx"].chunk(3, dim=1)
    b_z, b_r, b_x = p["b"].chunk(3)
    projected = x @ W_x + b_x
    z = sigmoid(x @ W_xz + b_z)
    r = sigmoid(x @ W_xr + s["h"] @ p["Wh"] + b_r)
    candidate = tanh((r * s["h"]) @ p["cell.Wn"] + tanh(projected) + p["cell.bn"])
    return {"h": candidate * z + s["h"] * (1 - z)}
