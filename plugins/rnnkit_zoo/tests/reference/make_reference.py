"""Records what PyTorch computes, for tests to compare with: writes reference.npz beside this file.

    pip install torch==2.13.0
    python tests/reference/make_reference.py

Each file in torch_cells is one cell, named like the cell's module (cifg_lstm.py for `cifg-lstm`), with its options at
their defaults, and written from the paper's equations, not from the NumPy file. It defines

    def shapes(D: int, H: int) -> dict[str, tuple[int, ...]]
        The shape of each parameter under its name in rnnkit's recurrence: for a gated cell Wx (D, Gx H),
        Wh (H, Gh H), b (Gx H,) (also where there are no gates: Gh = 0 is (H, 0)) and cell.NAME for its own; for a
        free-form cell the names of its parameters. Weights are (in, out), gates in rnnkit's order.
    def start(h0: Tensor) -> dict[str, Tensor]
        The state before the first step, from h0 (N, H); its slots are the author's, but "h" is the output.
    def step(p: dict[str, Tensor], x: Tensor, s: dict[str, Tensor]) -> dict[str, Tensor]
        The next state, from parameters p, input x (N, D) and state s. Must not work in place.

Parameters are standard normal numbers times 0.7, or, where the file has it, what `draw(shapes)` of the file returns: a cell
with parameters of limited range needs that. Everything is float64 and batch first. Keys, for a cell NAME:

    NAME/   x (N, T, D), lengths (N,), h0 (N, H); h (N, T, H), 0 beyond the length; dh, also with numbers beyond the
            length, which must not matter; dx, dh0; p.PARAMETER, and d.PARAMETER its gradient
"""

from __future__ import annotations

import importlib.util
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

N, T, D, H = 4, 5, 3, 4
LENGTHS = (5, 3, 1, 4)
HERE = Path(__file__).parent


def record(file: Path) -> dict[str, Tensor]:
    """What PyTorch computes of the cell in `file`, and every gradient of sum(h dh)."""
    cell = load(file)
    # From the name, so that another cell in the folder changes no numbers of this one.
    torch.manual_seed(zlib.crc32(file.stem.encode()))
    draw = getattr(cell, "draw", normal)
    p = {name: t.requires_grad_() for name, t in draw(cell.shapes(D, H)).items()}
    x, h0 = torch.randn(N, T, D).requires_grad_(), torch.randn(N, H).requires_grad_()
    h = torch.stack([outputs(cell, p, x[[i]], h0[[i]], n) for i, n in enumerate(LENGTHS)])
    dh = torch.randn(N, T, H)
    dx, dh0, *dp = torch.autograd.grad(h, [x, h0, *p.values()], dh, materialize_grads=True)
    return {
        "x": x,
        "lengths": torch.tensor(LENGTHS),
        "h0": h0,
        "h": h,
        "dh": dh,
        "dx": dx,
        "dh0": dh0,
        **{f"p.{name}": t for name, t in p.items()},
        **{f"d.{name}": d for name, d in zip(p, dp, strict=True)},
    }


def load(file: Path) -> ModuleType:
    """The module in a file."""
    spec = importlib.util.spec_from_file_location(f"torch_cells.{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def normal(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Parameters for a cell that does not say."""
    return {name: 0.7 * torch.randn(shape) for name, shape in shapes.items()}


def outputs(cell: ModuleType, p: dict[str, Tensor], x: Tensor, h0: Tensor, length: int) -> Tensor:
    """h (T, H) of one sequence x (1, T, D), 0 beyond its length."""
    s, h = cell.start(h0), [torch.zeros(H)] * T
    for t in range(length):
        s = cell.step(p, x[:, t], s)
        h[t] = s["h"][0]
    return torch.stack(h)


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    files = sorted((HERE / "torch_cells").glob("*.py"))
    arrays = {f"{file.stem}/{key}": t for file in files for key, t in record(file).items()}
    target = HERE / "reference.npz"
    np.savez_compressed(target, **{key: t.detach().numpy() for key, t in arrays.items()})
    print(f"{target.name}: {len(files)} cells, {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
