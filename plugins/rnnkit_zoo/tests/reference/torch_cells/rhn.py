"""Zilly et al. (2017), equations 6 to 9, with two layers and c = 1 - t."""

from torch import Tensor, sigmoid, tanh


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 2 * H), "R": (2, H, 2 * H), "b": (2, 2 * H)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    W_H, W_T = p["Wx"].chunk(2, dim=1)
    (R_H1, R_T1), (R_H2, R_T2) = (R.chunk(2, dim=1) for R in p["R"])
    (b_H1, b_T1), (b_H2, b_T2) = (b.chunk(2) for b in p["b"])
    s0 = s["h"]
    h1, t1 = tanh(x @ W_H + s0 @ R_H1 + b_H1), sigmoid(x @ W_T + s0 @ R_T1 + b_T1)
    s1 = h1 * t1 + s0 * (1 - t1)
    h2, t2 = tanh(s1 @ R_H2 + b_H2), sigmoid(s1 @ R_T2 + b_T2)
    return {"h": h2 * t2 + s1 * (1 - t2)}
