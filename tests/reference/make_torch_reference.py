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
    states/CASE/             x (N, T, D), lengths (N,), one of them 0; start.SLOT (N, H) before the first step;
                             h (N, T, H), 0 beyond the length; final.SLOT (N, H) after the last step; dh and
                             dfinal.SLOT; dx, dstart.SLOT; p.NAME a parameter, d.NAME its gradient
    vectors/                 start (4,), its gradients (20, 4); w (20, 4) after each update of Adafactor
    groups/                  w.NAME a parameter, g.NAME its gradients (20, ..), the same for all cases
    groups/CASE/             NAME after 20 updates, in parameter groups
    schedules/CASE/          factors of 40 updates; or with values (30,) of a metric, before each of them
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn, sigmoid, tanh
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.optim import lr_scheduler as lr
from torch.optim.lr_scheduler import LRScheduler

N, T, D, H = 4, 5, 3, 4
LENGTHS = torch.tensor([5, 3, 1, 4])

REFERENCE: dict[str, Tensor] = {}


def record(case: str, **tensors: Tensor) -> None:
    REFERENCE.update({f"{case}/{name}": t.detach() for name, t in tensors.items()})


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
    leaves = {f"d.{name}": p for name, p in parameters.items()}
    if x.requires_grad:
        leaves["dx"] = x
    gradients = torch.autograd.grad(y, list(leaves.values()), dy)
    record(f"layers/{case}", x=x, y=y, dy=dy, **dict(zip(leaves, gradients, strict=True)))
    record(f"layers/{case}", **{f"p.{name}": p for name, p in parameters.items()})


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
    run("sgd dampening", lambda w: sgd(w, 0.1, momentum=0.9, dampening=0.4), uneven)
    run("rmsprop centered", lambda w: rms(w, 0.01, centered=True), even)
    run(
        "rmsprop centered decay scheduled",
        lambda w: rms(w, 0.01, alpha=0.8, momentum=0.7, centered=True, weight_decay=0.2),
        uneven,
    )
    run("adam decay", lambda w: adam(w, 0.01, weight_decay=0.2), even)
    run("adam amsgrad", lambda w: adam(w, 0.01, betas=(0.7, 0.8), amsgrad=True), even)
    run(
        "adam amsgrad decay scheduled",
        lambda w: adam(w, 0.01, betas=(0.5, 0.6), amsgrad=True, weight_decay=0.2),
        uneven,
    )
    run("adamw amsgrad", lambda w: adamw(w, 0.01, betas=(0.5, 0.6), amsgrad=True), uneven)
    adadelta, adamax = torch.optim.Adadelta, torch.optim.Adamax
    run("adadelta", lambda w: adadelta(w), even)
    run("adadelta decay scheduled", lambda w: adadelta(w, 0.5, 0.7, 1e-3, weight_decay=0.2), uneven)
    run("adamax", lambda w: adamax(w), even)
    run(
        "adamax decay scheduled",
        lambda w: adamax(w, 0.01, betas=(0.7, 0.8), eps=1e-3, weight_decay=0.2),
        uneven,
    )
    nadam, radam = torch.optim.NAdam, torch.optim.RAdam
    run("nadam", lambda w: nadam(w), even)
    run(
        "nadam decay scheduled",
        lambda w: nadam(w, 0.01, betas=(0.7, 0.8), weight_decay=0.2, momentum_decay=0.5),
        uneven,
    )
    run("radam", lambda w: radam(w), even)
    run(
        "radam decay scheduled",
        lambda w: radam(w, 0.01, betas=(0.7, 0.8), eps=1e-3, weight_decay=0.2),
        uneven,
    )
    adafactor = torch.optim.Adafactor
    run("adafactor", lambda w: adafactor(w), even)
    run(
        "adafactor decay scheduled",
        lambda w: adafactor(w, 0.5, beta2_decay=-0.5, eps=(None, 0.1), d=1.2, weight_decay=0.2),
        uneven,
    )


def vectors() -> None:
    """Adafactor on what is no matrix."""
    w = torch.randn(4, requires_grad=True)
    gradients, path, start = torch.randn(20, 4), [], w.detach().clone()
    optimizer = torch.optim.Adafactor([w], 0.1)
    for gradient in gradients:
        w.grad = gradient.clone()
        optimizer.step()
        path.append(w.detach().clone())
    record("vectors", start=start, gradients=gradients, w=torch.stack(path))


def groups() -> None:
    shapes = {"words.0.W": (5, 3), "head.0.W": (3, 5), "head.0.b": (5,)}
    start = {name: torch.randn(shape) for name, shape in shapes.items()}
    gradients = {name: torch.randn(20, *shape) for name, shape in shapes.items()}
    record("groups", **{f"w.{name}": w for name, w in start.items()})
    record("groups", **{f"g.{name}": g for name, g in gradients.items()})
    make: Callable[[list[dict[str, object]]], torch.optim.Optimizer]
    for case, make in {
        "adamw": lambda groups: torch.optim.AdamW(groups, 0.01, weight_decay=0.1),
        "sgd": lambda groups: torch.optim.SGD(groups, 0.1, momentum=0.9, weight_decay=0.1),
        "adamax": lambda groups: torch.optim.Adamax(groups, 0.01, weight_decay=0.1),
    }.items():
        ws = {name: w.clone().requires_grad_() for name, w in start.items()}
        rate = 0.1 if case == "sgd" else 0.01
        optimizer = make(
            [
                {"params": [ws["words.0.W"]], "lr": 0.25 * rate},
                {"params": [ws["head.0.W"]], "weight_decay": 0.4},
                {"params": [ws["head.0.b"]], "lr": 2.0 * rate, "weight_decay": 0.0},
            ]
        )
        for step in range(20):
            for name, w in ws.items():
                w.grad = gradients[name][step].clone()
            optimizer.step()
        record(f"groups/{case}", **ws)


def schedules() -> None:
    def follow(case: str, make: Callable[[torch.optim.Optimizer], LRScheduler]) -> None:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
        schedule, factors = make(optimizer), []
        for _ in range(40):
            factors.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        record(f"schedules/{case}", factors=torch.tensor(factors))

    follow("linear", lambda o: lr.LinearLR(o, 0.8, 0.1, total_iters=40))
    follow("polynomial", lambda o: lr.PolynomialLR(o, total_iters=40, power=2.5))
    once = {"total_steps": 40, "cycle_momentum": False}
    follow("one-cycle", lambda o: lr.OneCycleLR(o, 1.0, **once))
    follow(
        "one-cycle wide",
        lambda o: lr.OneCycleLR(
            o, 1.0, **once, pct_start=0.55, div_factor=10.0, final_div_factor=50.0
        ),
    )
    falls = 3.0 / torch.arange(1, 31).sqrt() + 0.3 * torch.randn(30)
    for case, values, options in (
        ("plateau", falls, {"factor": 0.5, "patience": 2, "eps": 0.0}),
        ("plateau up", 5.0 - falls, {"mode": "max", "factor": 0.3, "patience": 1, "eps": 0.0}),
        (
            "plateau cool",
            falls,
            {
                "factor": 0.5,
                "patience": 0,
                "threshold": 0.05,
                "cooldown": 2,
                "min_lr": 0.1,
                "eps": 0.0,
            },
        ),
    ):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
        schedule, factors = lr.ReduceLROnPlateau(optimizer, **options), []
        for value in values.tolist():
            factors.append(optimizer.param_groups[0]["lr"])
            schedule.step(value)
        record(f"schedules/{case}", values=values, factors=torch.tensor(factors))


def cells() -> None:
    library("vanilla", nn.RNN(D, H, nonlinearity="tanh", batch_first=True), "h", "h")
    library("vanilla relu", nn.RNN(D, H, nonlinearity="relu", batch_first=True), "h", "h")
    library("lstm", nn.LSTM(D, H, batch_first=True), "ifgo", "ifog")
    library("lstm on lstm", nn.LSTM(D, H, num_layers=2, batch_first=True), "ifgo", "ifog")
    library("gru", nn.GRU(D, H, batch_first=True), "run", "run")
    by_hand(
        "vanilla sigmoid", sigmoid_step, {"Wx": leaf(D, H), "Wh": leaf(H, H), "b": leaf(H)}, slots=1
    )
    by_hand(
        "gru-reset-before",
        reset_before_step,
        {"Wx": leaf(D, 3 * H), "Wh": leaf(H, 2 * H), "Wn": leaf(H, H), "b": leaf(3 * H)},
        slots=1,
    )
    peepholes = {f"cell.{gate}": leaf(H) for gate in "ifo"}
    by_hand(
        "peephole-lstm",
        peephole_step,
        {"Wx": leaf(D, 4 * H), "Wh": leaf(H, 4 * H), "b": leaf(4 * H), **peepholes},
        slots=2,
    )


Layout = Callable[[Tensor], Tensor]
"""From a tensor of PyTorch's, parameter or gradient, to rnnkit's."""

Step = Callable[[dict[str, Tensor], Tensor, list[Tensor]], list[Tensor]]
"""(parameters, x, slots) -> slots, the first of them h."""


def library(case: str, module: nn.RNNBase, gates: str, wanted: str) -> None:
    """A module of PyTorch's, which has its gates in the order `gates`; `wanted` is rnnkit's."""

    parameters = parameters_of(module, gates, wanted)
    x, h0 = leaf(N, T, D), leaf(module.num_layers, N, H)
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    start = (h0, torch.zeros_like(h0)) if isinstance(module, nn.LSTM) else h0
    h, _ = pad_packed_sequence(module(packed, start)[0], batch_first=True, total_length=T)
    record_run(case, x, h0, h, parameters)


def parameters_of(module: nn.RNNBase, gates: str, wanted: str) -> dict[str, tuple[Tensor, Layout]]:
    """Each parameter by its name, with what lays it out as rnnkit does."""

    def layout(t: Tensor) -> Tensor:
        blocks = dict(zip(gates, t.chunk(len(gates)), strict=True))
        return torch.cat([blocks[gate] for gate in wanted]).t()

    # Where PyTorch has two biases rnnkit has one, but for that of the GRU's n inside the reset gate.
    inside = 2 * H if isinstance(module, nn.GRU) else None
    parameters: dict[str, tuple[Tensor, Layout]] = {}
    for level in range(module.num_layers):
        Wx, Wh, b, second = (
            getattr(module, f"{name}_l{level}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        with torch.no_grad():
            second[:inside] = 0.0
        for name, p in {"Wx": Wx, "Wh": Wh, "b": b}.items():
            parameters[f"{level}.{name}"] = p, layout
        if inside is not None:
            parameters[f"{level}.cell.bn"] = second, lambda t: t[inside:]
    return parameters


def by_hand(case: str, step: Step, parameters: dict[str, Tensor], slots: int) -> None:
    """A cell that PyTorch lacks, row by row; slots beside h begin at 0."""
    x, h0 = leaf(N, T, D), leaf(1, N, H)
    rows = []
    for row, length in enumerate(LENGTHS.tolist()):
        state = [h0[0, row], *[torch.zeros(H)] * (slots - 1)]
        outputs = []
        for t in range(length):
            state = step(parameters, x[row, t], state)
            outputs.append(state[0])
        rows.append(torch.stack(outputs + [torch.zeros(H)] * (T - length)))
    same = {f"0.{name}": (p, lambda t: t) for name, p in parameters.items()}
    record_run(case, x, h0, torch.stack(rows), same)


def sigmoid_step(p: dict[str, Tensor], x: Tensor, s: list[Tensor]) -> list[Tensor]:
    """Elman (1990), with the logistic function."""
    return [sigmoid(x @ p["Wx"] + s[0] @ p["Wh"] + p["b"])]


def reset_before_step(p: dict[str, Tensor], x: Tensor, s: list[Tensor]) -> list[Tensor]:
    """Cho et al. (2014), equations 5 to 8, their z called u."""
    (h,) = s
    xr, xu, xn = (x @ p["Wx"] + p["b"]).chunk(3)
    hr, hu = (h @ p["Wh"]).chunk(2)
    r, u = sigmoid(xr + hr), sigmoid(xu + hu)
    return [u * h + (1 - u) * tanh(xn + (r * h) @ p["Wn"])]


def peephole_step(p: dict[str, Tensor], x: Tensor, s: list[Tensor]) -> list[Tensor]:
    """Gers & Schmidhuber (2000), section 2, with tanh for both squashing functions."""
    h, c = s
    zi, zf, zo, zg = (x @ p["Wx"] + h @ p["Wh"] + p["b"]).chunk(4)
    i, f = sigmoid(zi + p["cell.i"] * c), sigmoid(zf + p["cell.f"] * c)
    c = f * c + i * tanh(zg)
    return [sigmoid(zo + p["cell.o"] * c) * tanh(c), c]


def record_run(
    case: str, x: Tensor, h0: Tensor, h: Tensor, parameters: dict[str, tuple[Tensor, Layout]]
) -> None:
    dh = torch.randn(h.shape)
    leaves = [x, h0, *(p for p, _ in parameters.values())]
    dx, dh0, *gradients = torch.autograd.grad(h, leaves, dh)
    record(f"cells/{case}", x=x, lengths=LENGTHS, h0=h0, h=h, dh=dh, dx=dx, dh0=dh0)
    for (name, (p, layout)), d in zip(parameters.items(), gradients, strict=True):
        record(f"cells/{case}", **{f"p.{name}": layout(p), f"d.{name}": layout(d)})


def states() -> None:
    whole_state("lstm", nn.LSTM(D, H, batch_first=True), "ifgo", "ifog", ("h", "c"))
    whole_state("gru", nn.GRU(D, H, batch_first=True), "run", "run", ("h",))


def whole_state(
    case: str, module: nn.RNNBase, gates: str, wanted: str, slots: tuple[str, ...]
) -> None:
    """From a given state to the final one, row by row: PyTorch packs no sequence of length 0."""
    lengths = torch.tensor([3, 0, 5, 1, 5])
    count = len(lengths)
    parameters = parameters_of(module, gates, wanted)
    x, start = leaf(count, T, D), {slot: leaf(count, H) for slot in slots}
    outputs, ends = [], []
    for row, length in enumerate(lengths.tolist()):
        state = [a[row].view(1, 1, H) for a in start.values()]
        h = torch.zeros(1, T, H)
        if length:
            live, end = module(x[[row], :length], tuple(state) if len(state) > 1 else state[0])
            state = list(end) if len(state) > 1 else [end]
            h = torch.cat([live, h[:, length:]], dim=1)
        outputs.append(h[0])
        ends.append([a[0, 0] for a in state])
    h = torch.stack(outputs)
    final = dict(zip(slots, map(torch.stack, zip(*ends, strict=True)), strict=True))
    dh, dfinal = torch.randn(h.shape), {slot: torch.randn(count, H) for slot in slots}
    leaves = [x, *start.values(), *(p for p, _ in parameters.values())]
    dx, *gradients = torch.autograd.grad([h, *final.values()], leaves, [dh, *dfinal.values()])
    record(f"states/{case}", x=x, lengths=lengths, h=h, dh=dh, dx=dx)
    for slot, d in zip(slots, gradients, strict=False):
        record(
            f"states/{case}",
            **{f"start.{slot}": start[slot], f"final.{slot}": final[slot]},
            **{f"dfinal.{slot}": dfinal[slot], f"dstart.{slot}": d},
        )
    for (name, (p, layout)), d in zip(parameters.items(), gradients[len(slots) :], strict=True):
        path = name.removeprefix("0.")
        record(f"states/{case}", **{f"p.{path}": layout(p), f"d.{path}": layout(d)})


def main() -> None:
    torch.manual_seed(231)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    for part in (
        activations,
        layers,
        losses,
        optimizers,
        cells,
        states,
        vectors,
        groups,
        schedules,
    ):
        part()
    file = Path(__file__).with_name("torch_reference.npz")
    np.savez_compressed(file, **{key: t.numpy() for key, t in REFERENCE.items()})
    print(f"{file}: {len(REFERENCE)} arrays, {file.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
