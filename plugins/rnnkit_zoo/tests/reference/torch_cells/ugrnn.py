"""Collins, Sohl-Dickstein & Sussillo (2017), the equations of the UGRNN, with s = tanh."""

from torch import Tensor, sigmoid, tanh


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, 2 * H), "Wh": (H, 2 * H), "b": (2 * H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    h, H = s["h"], s["h"].shape[1]
    g = sigmoid(h @ p["Wh"][:, :H] + x @ p["Wx"][:, :H] + p["b"][:H])
    c = tanh(h @ p["Wh"][:, H:] + x @ p["Wx"][:, H:] + p["b"][H:])
    return {"h": g * h + (1 - g) * c}
