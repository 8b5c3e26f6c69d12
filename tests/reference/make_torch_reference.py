"""Records what PyTorch computes, for tests to compare with: writes torch_reference.npz beside this file.

    pip install torch==2.13.0
    python tests/reference/make_torch_reference.py

Everything is float64 and in rnnkit's layout: weights (in, out), gates in rnnkit's order, batch first. Keys:

    activations/CASE/        x, y; dx for dy = 1
    layers/CASE/             x, y, dy, dx (not for tokens); p.NAME a parameter, d.NAME its gradient
    losses/CASE/             scores, targets, mask, loss, dscores
    optimizers/              w (3, 4) and its gradients (20, 3, 4), the same for all cases
    optimizers/CASE/         factors (20,) on the learning rate; w (20, 3, 4) after each update
    cells/CASE/              x (N, T, D), lengths (N,), h0 (levels, N, H); h (N, T, H) of the top level, 0
                             beyond the length; dh, also with numbers beyond the length, which must not
                             matter; dx, dh0; p.LEVEL.NAME a parameter, d.LEVEL.NAME its gradient
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn, sigmoid, tanh
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

N, T, D, H = 4, 5, 3, 4
LENGTHS = torch.tensor([5, 3, 1, 4])

REFERENCE: dict[str, Tensor] = {}


def record(case: str, **tensors: Tensor) -> None:
    REFERENCE.update({f"{case}/{name}": t.detach() for name, t in tensors.items()})


def record_parameters(case: str, parameters: dict[str, Tensor], y: Tensor, dy: Tensor) -> None:
    """Values and gradients of parameters and inputs that led to y."""
    gradients = torch.autograd.grad(y, list(parameters.values()), dy, retain_graph=True)
    record(case, **{f"p.{name}": p for name, p in parameters.items()})
    record(case, **{f"d.{name}": d for name, d in zip(parameters, gradients, strict=True)})


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, requires_grad=True)


def activations() -> None:
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "identity": lambda x: 1.0 * x,
        "tanh": tanh,
        "sigmoid": sigmoid,
        "relu": F.relu,
        "leaky-relu": F.leaky_relu,
        "leaky-relu 0.2": lambda x: F.leaky_relu(x, 0.2),
        "elu": F.elu,
        "elu 0.5": lambda x: F.elu(x, 0.5),
        # Beyond its threshold PyTorch returns x itself, 2e-9 off at the default of 20.
        "softplus": lambda x: F.softplus(x, threshold=700.0),
        "silu": F.silu,
        "gelu": lambda x: F.gelu(x, approximate="tanh"),
    }
    values = torch.cat((torch.linspace(-30, 30, 25), 2 * torch.randn(30), torch.tensor([1e-9])))
    for case, f in functions.items():
        x = values.clone().requires_grad_()
        y = f(x)
        (dx,) = torch.autograd.grad(y, x, torch.ones_like(y))
        record(f"activations/{case}", x=x, y=y, dx=dx)


def layers() -> None:
    W, b, gain, bias = leaf(D, H), leaf(H), leaf(D), leaf(D)
    layer("affine", leaf(2, N, D), {"W": W, "b": b}, lambda x: F.linear(x, W.T, b))
    layer(
        "layer-norm",
        leaf(2, N, D),
        {"gain": gain, "bias": bias},
        lambda x: F.layer_norm(x, (D,), gain, bias, eps=1e-5),
    )
    E = leaf(7, D)
    tokens = torch.tensor([[3, 1, 3, 6], [1, 1, 0, 3]])
    layer("embedding", tokens, {"W": E}, lambda x: F.embedding(x, E))


def layer(
    case: str, x: Tensor, parameters: dict[str, Tensor], f: Callable[[Tensor], Tensor]
) -> None:
    y = f(x)
    dy = torch.randn(y.shape)
    record(f"layers/{case}", x=x, y=y, dy=dy)
    record_parameters(f"layers/{case}", parameters, y, dy)
    if x.requires_grad:
        record(f"layers/{case}", dx=torch.autograd.grad(y, x, dy)[0])


def losses() -> None:
    scores, targets = 3 * torch.randn(12, 6), torch.randint(0, 6, (12,))
    mask = torch.rand(12) < 0.7
    for case, smoothing, counted in [
        ("plain", 0.0, torch.ones_like(mask)),
        ("masked", 0.0, mask),
        ("smoothed", 0.1, torch.ones_like(mask)),
        ("smoothed and masked", 0.3, mask),
    ]:
        z = scores.clone().requires_grad_()
        loss = F.cross_entropy(
            z,
            torch.where(counted, targets, -100),
            ignore_index=-100,
            reduction="sum",
            label_smoothing=smoothing,
        )
        (dscores,) = torch.autograd.grad(loss, z)
        record(
            f"losses/{case}", scores=z, targets=targets, mask=counted, loss=loss, dscores=dscores
        )


def optimizers() -> None:
    start, gradients = torch.randn(3, 4), torch.randn(20, 3, 4)
    record("optimizers", w=start, gradients=gradients)
    even, uneven = torch.ones(20), torch.rand(20) + 0.1

    def run(
        case: str, make: Callable[[list[Tensor]], torch.optim.Optimizer], factors: Tensor
    ) -> None:
        w = start.clone().requires_grad_()
        optimizer = make([w])
        (group,) = optimizer.param_groups
        learning_rate, trajectory = group["lr"], []
        for gradient, factor in zip(gradients, factors.tolist(), strict=True):
            group["lr"] = learning_rate * factor
            w.grad = gradient.clone()
            optimizer.step()
            trajectory.append(w.detach().clone())
        record(f"optimizers/{case}", factors=factors, w=torch.stack(trajectory))

    sgd, rms = torch.optim.SGD, torch.optim.RMSprop
    adam, adamw, adagrad = torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad
    run("sgd", lambda w: sgd(w, 0.1), even)
    run("sgd decay", lambda w: sgd(w, 0.1, weight_decay=0.2), even)
    run("sgd momentum", lambda w: sgd(w, 0.1, momentum=0.9), even)
    run("sgd momentum scheduled", lambda w: sgd(w, 0.1, momentum=0.9), uneven)
    run(
        "sgd nesterov decay scheduled",
        lambda w: sgd(w, 0.1, momentum=0.8, nesterov=True, weight_decay=0.2),
        uneven,
    )
    run("rmsprop", lambda w: rms(w, 0.01), even)
    run(
        "rmsprop momentum scheduled",
        lambda w: rms(w, 0.01, alpha=0.9, eps=1e-3, momentum=0.7),
        uneven,
    )
    run("adagrad", lambda w: adagrad(w, 0.1), even)
    run("adagrad scheduled", lambda w: adagrad(w, 0.1, eps=1e-2), uneven)
    run("adam", lambda w: adam(w, 0.01), even)
    run("adam scheduled", lambda w: adam(w, 0.01, betas=(0.7, 0.8), eps=1e-2), uneven)
    run("adamw", lambda w: adamw(w, 0.01), even)
    run("adamw scheduled", lambda w: adamw(w, 0.01, betas=(0.7, 0.8), weight_decay=0.5), uneven)


def cells() -> None:
    library("vanilla", nn.RNN(D, H, nonlinearity="tanh", batch_first=True), "h", "h")
    library("vanilla relu", nn.RNN(D, H, nonlinearity="relu", batch_first=True), "h", "h")
    library("lstm", nn.LSTM(D, H, batch_first=True), "ifgo", "ifog")
    library("lstm on lstm", nn.LSTM(D, H, num_layers=2, batch_first=True), "ifgo", "ifog")
    library("gru", nn.GRU(D, H, batch_first=True), "run", "run")
    own("vanilla sigmoid", {"Wx": leaf(D, H), "Wh": leaf(H, H), "b": leaf(H)}, sigmoid_step)
    own(
        "gru-reset-before",
        {"Wx": leaf(D, 3 * H), "Wh": leaf(H, 2 * H), "Wn": leaf(H, H), "b": leaf(3 * H)},
        reset_before_step,
    )
    own(
        "peephole-lstm",
        {
            **{"Wx": leaf(D, 4 * H), "Wh": leaf(H, 4 * H), "b": leaf(4 * H)},
            **{f"cell.{gate}": leaf(H) for gate in "ifo"},
        },
        peephole_step,
    )


def sequence(
    case: str, h: Tensor, x: Tensor, h0: Tensor, parameters: dict[str, tuple[Tensor, Tensor]]
) -> None:
    """Record a run; parameters are name -> (value, the part of its gradient's source), see `library`."""


def library(case: str, module: nn.RNNBase, gates: str, wanted: str) -> None:
    """A module of PyTorch's own, whose gates are in the order `gates`; `wanted` is rnnkit's."""
    levels = module.num_layers
    with torch.no_grad():
        for level in range(levels):
            # rnnkit has one bias for both products, and for the GRU's n a second one inside the reset.
            getattr(module, f"bias_hh_l{level}")[: H * gates.index("n") if "n" in gates else None] = 0
    x, h0 = leaf(N, T, D), leaf(levels, N, H)
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    start = (h0, torch.zeros_like(h0)) if isinstance(module, nn.LSTM) else h0
    h, _ = pad_packed_sequence(module(packed, start)[0], batch_first=True, total_length=T)
