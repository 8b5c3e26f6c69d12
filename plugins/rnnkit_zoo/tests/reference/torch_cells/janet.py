"""van der Westhuizen & Lasenby (2018), section 3, with beta = 1."""

from torch import Tensor, sigmoid, tanh


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 2 * H), "Wh": (H, 2 * H), "b": (2 * H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    W_f, W_c = p["Wx"].chunk(2, dim=1)
    U_f, U_c = p["Wh"].chunk(2, dim=1)
    b_f, b_c = p["b"].chunk(2)
    sums = s["h"] @ U_f + x @ W_f + b_f
    c = tanh(s["h"] @ U_c + x @ W_c + b_c)
    return {"h": sigmoid(sums) * s["h"] + (1 - sigmoid(sums - 1)) * c}
