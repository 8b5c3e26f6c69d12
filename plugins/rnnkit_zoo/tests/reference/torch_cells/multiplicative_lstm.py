"""Krause et al. (2016), the equations of the mLSTM, with a bias also for what m takes of x."""

from torch import Tensor, sigmoid, tanh


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 5 * H), "Wh": (H, H), "b": (5 * H,), "cell.Wm": (H, 4 * H)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0, "c": h0 * 0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    W_ix, W_fx, W_ox, W_hx, W_mx = p["Wx"].chunk(5, dim=1)
    b_i, b_f, b_o, b_h, b_m = p["b"].chunk(5)
    W_im, W_fm, W_om, W_hm = p["cell.Wm"].chunk(4, dim=1)
    m = (x @ W_mx + b_m) * (s["h"] @ p["Wh"])
    h_hat = x @ W_hx + m @ W_hm + b_h
    i = sigmoid(x @ W_ix + m @ W_im + b_i)
    f = sigmoid(x @ W_fx + m @ W_fm + b_f)
    o = sigmoid(x @ W_ox + m @ W_om + b_o)
    c = f * s["c"] + i * tanh(h_hat)
    return {"h": o * tanh(c), "c": c}
