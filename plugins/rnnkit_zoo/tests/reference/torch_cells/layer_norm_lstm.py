"""Ba, Kiros & Hinton (2016), equations 20 to 22, with PyTorch's own layer normalization."""

import torch
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import layer_norm


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {
        "Wx": (D, 4 * H),
        "Wh": (H, 4 * H),
        "b": (4 * H,),
        "cell.gain_x": (4 * H,),
        "cell.gain_h": (4 * H,),
        "cell.bias": (4 * H,),
        "cell.gain_c": (H,),
        "cell.bias_c": (H,),
    }


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0, "c": torch.zeros_like(h0)}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    H = s["h"].shape[1]
    from_h = layer_norm(s["h"] @ p["Wh"], (4 * H,), p["cell.gain_h"])
    from_x = layer_norm(x @ p["Wx"] + p["b"], (4 * H,), p["cell.gain_x"], p["cell.bias"])
    i, f, o, g = torch.split(from_h + from_x, H, dim=1)
    c = sigmoid(f) * s["c"] + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(layer_norm(c, (H,), p["cell.gain_c"], p["cell.bias_c"]))
    return {"h": h, "c": c}
