"""Ravanelli et al. (2018), section III, without batch normalization."""

from torch import Tensor, relu, sigmoid


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 2 * H), "Wh": (H, 2 * H), "b": (2 * H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    W_z, W_h = p["Wx"].chunk(2, dim=1)
    U_z, U_h = p["Wh"].chunk(2, dim=1)
    b_z, b_h = p["b"].chunk(2)
    z = sigmoid(x @ W_z + s["h"] @ U_z + b_z)
    candidate = relu(x @ W_h + s["h"] @ U_h + b_h)
    return {"h": z * s["h"] + (1 - z) * candidate}
