"""Li et al. (2018), section 3, with the rectifier."""

from torch import Tensor, relu


def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"Wx": (D, H), "Wh": (H, 0), "b": (H,), "cell.u": (H,)}


def start(h0: Tensor) -> dict[str, Tensor]:
    return {"h": h0}


def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"h": relu(x @ p["Wx"] + s["h"] @ p["cell.u"].diag() + p["b"])}
