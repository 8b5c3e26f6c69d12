"""NumPy as in the assignment that rnnkit grew out of (CS231n): padded arrays, a Python loop over time, a cache and
all products at each step, gradients added up over time, the loss masked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from benchmarks.task import LEARNING_RATE, NULL, Task
from rnnkit.kinds.arrays import Array, Ints, Mask

Params: TypeAlias = dict[str, Array]
State: TypeAlias = tuple[Array, ...]
"""h, and c of an LSTM."""


def step(task: Task) -> Callable[[int], float]:
    """One update."""
    params = dict(task.parameters)
    configs: dict[str, dict[str, Any]] = {name: {} for name in params}

    def run(i: int) -> float:
        batch = task.batches[i]
        loss, grads = loss_and_grads(params, task.problem.cell, batch.features, batch.captions)
        for name, dw in grads.items():
            params[name], configs[name] = adam(params[name], dw, configs[name])
        return loss

    return run


def loss_and_grads(
    p: Params, cell: str, features: Array, captions: Ints
) -> tuple[float, dict[str, Array]]:
    """The loss of a batch, and its gradient for each parameter."""
    words, targets = captions[:, :-1], captions[:, 1:]
    h0 = features @ p["image.0.W"] + p["image.0.b"]
    x = p["words.0.W"][words]
    h, caches = sequence_forward(p, cell, x, h0)
    scores = temporal_affine_forward(h, p["head.0.W"], p["head.0.b"])
    loss, dscores = temporal_softmax_loss(scores, targets, targets != NULL)
    grads: dict[str, Array] = {}
    dh, grads["head.0.W"], grads["head.0.b"] = temporal_affine_backward(dscores, h, p["head.0.W"])
    dx, dh0 = sequence_backward(p, cell, dh, caches, grads)
    grads["words.0.W"] = np.zeros_like(p["words.0.W"])
    np.add.at(grads["words.0.W"], words, dx)
    grads["image.0.W"], grads["image.0.b"] = features.T @ dh0, dh0.sum(axis=0)
    return loss, grads


def sequence_forward(p: Params, cell: str, x: Array, h0: Array) -> tuple[Array, list[Any]]:
    """x (N, T, D), h0 (N, H) -> h (N, T, H)."""
    (N, T, _), forward = x.shape, CELLS[cell][0]
    h, caches = np.zeros((N, T, h0.shape[1]), h0.dtype), []
    state: State = (h0, np.zeros_like(h0)) if cell == "lstm" else (h0,)
    for t in range(T):
        state, cache = forward(p, x[:, t], state)
        h[:, t] = state[0]
        caches.append(cache)
    return h, caches


def sequence_backward(
    p: Params, cell: str, dh: Array, caches: list[Any], grads: Params
) -> tuple[Array, Array]:
    """dh (N, T, H) -> dx (N, T, D), dh0 (N, H); the parameters' gradients are put into `grads`."""
    (N, T, H), backward = dh.shape, CELLS[cell][1]
    dx = np.zeros((N, T, p["rnn.0.Wx"].shape[0]), dh.dtype)
    dstate: State = tuple(np.zeros((N, H), dh.dtype) for _ in range(2 if cell == "lstm" else 1))
    grads.update({name: np.zeros_like(w) for name, w in p.items() if name.startswith("rnn")})
    for t in reversed(range(T)):
        dx[:, t], dstate, step_grads = backward(p, (dstate[0] + dh[:, t], *dstate[1:]), caches[t])
        for name, dw in step_grads.items():
            grads[f"rnn.0.{name}"] += dw
    return dx, dstate[0]


def vanilla_forward(p: Params, x: Array, state: State) -> tuple[State, Any]:
    """One step."""
    (h,) = state
    next_h = np.tanh(x @ p["rnn.0.Wx"] + h @ p["rnn.0.Wh"] + p["rnn.0.b"])
    return (next_h,), (x, h, next_h)


def vanilla_backward(p: Params, dstate: State, cache: Any) -> tuple[Array, State, Params]:
    """One step back."""
    x, h, next_h = cache
    dz = dstate[0] * (1 - next_h**2)
    grads = {"Wx": x.T @ dz, "Wh": h.T @ dz, "b": dz.sum(axis=0)}
    return dz @ p["rnn.0.Wx"].T, (dz @ p["rnn.0.Wh"].T,), grads


def lstm_forward(p: Params, x: Array, state: State) -> tuple[State, Any]:
    """One step."""
    h, c = state
    zi, zf, zo, zg = np.split(x @ p["rnn.0.Wx"] + h @ p["rnn.0.Wh"] + p["rnn.0.b"], 4, axis=1)
    i, f, o, g = sigmoid(zi), sigmoid(zf), sigmoid(zo), np.tanh(zg)
    next_c = f * c + i * g
    tanh_c = np.tanh(next_c)
    return (o * tanh_c, next_c), (x, h, c, i, f, o, g, tanh_c)


def lstm_backward(p: Params, dstate: State, cache: Any) -> tuple[Array, State, Params]:
    """One step back."""
    x, h, c, i, f, o, g, tanh_c = cache
    dh, dc = dstate
    dc = dc + dh * o * (1 - tanh_c**2)
    di, df, do, dg = dc * g, dc * c, dh * tanh_c, dc * i
    dz = np.hstack((di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)))
    grads = {"Wx": x.T @ dz, "Wh": h.T @ dz, "b": dz.sum(axis=0)}
    return dz @ p["rnn.0.Wx"].T, (dz @ p["rnn.0.Wh"].T, dc * f), grads


def gru_forward(p: Params, x: Array, state: State) -> tuple[State, Any]:
    """One step."""
    (h,) = state
    xr, xu, xn = np.split(x @ p["rnn.0.Wx"] + p["rnn.0.b"], 3, axis=1)
    hr, hu, hn = np.split(h @ p["rnn.0.Wh"], 3, axis=1)
    r, u, reset = sigmoid(xr + hr), sigmoid(xu + hu), hn + p["rnn.0.cell.bn"]
    n = np.tanh(xn + r * reset)
    return ((1 - u) * n + u * h,), (x, h, r, u, n, reset)


def gru_backward(p: Params, dstate: State, cache: Any) -> tuple[Array, State, Params]:
    """One step back."""
    x, h, r, u, n, reset = cache
    (dh,) = dstate
    dn = dh * (1 - u) * (1 - n**2)
    du = dh * (h - n) * u * (1 - u)
    dr = dn * reset * r * (1 - r)
    dzx, dzh = np.hstack((dr, du, dn)), np.hstack((dr, du, dn * r))
    grads = {
        "Wx": x.T @ dzx,
        "Wh": h.T @ dzh,
        "b": dzx.sum(axis=0),
        "cell.bn": (dn * r).sum(axis=0),
    }
    return dzx @ p["rnn.0.Wx"].T, (dzh @ p["rnn.0.Wh"].T + dh * u,), grads


CELLS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "vanilla": (vanilla_forward, vanilla_backward),
    "lstm": (lstm_forward, lstm_backward),
    "gru": (gru_forward, gru_backward),
}


def sigmoid(x: Array) -> Array:
    """The assignment's stable sigmoid."""
    negative = x < 0
    z = np.zeros_like(x)
    z[~negative] = np.exp(-x[~negative])
    z[negative] = np.exp(x[negative])
    top = np.ones_like(x)
    top[negative] = z[negative]
    return top / (1 + z)


def temporal_affine_forward(x: Array, w: Array, b: Array) -> Array:
    """x (N, T, D) -> (N, T, M)."""
    N, T, D = x.shape
    return (x.reshape(N * T, D) @ w).reshape(N, T, -1) + b


def temporal_affine_backward(dout: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """(dx, dw, db)."""
    N, T, D = x.shape
    flat = dout.reshape(N * T, -1)
    return (
        (flat @ w.T).reshape(N, T, D),
        x.reshape(N * T, D).T @ flat,
        dout.sum(axis=(0, 1)),
    )


def temporal_softmax_loss(scores: Array, targets: Ints, mask: Mask) -> tuple[float, Array]:
    """The masked loss over (N, T, V), divided by N, and its gradient."""
    N, T, V = scores.shape
    flat, y, m = scores.reshape(N * T, V), targets.reshape(N * T), mask.reshape(N * T)
    probs = np.exp(flat - flat.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    loss = -np.sum(m * np.log(probs[np.arange(N * T), y])) / N
    dflat = probs.copy()
    dflat[np.arange(N * T), y] -= 1
    dflat /= N
    dflat *= m[:, None]
    return float(loss), dflat.reshape(N, T, V)


def adam(w: Array, dw: Array, config: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
    """The assignment's Adam: the next w, and what to remember."""
    config.setdefault("beta1", 0.9)
    config.setdefault("beta2", 0.999)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("m", np.zeros_like(w))
    config.setdefault("v", np.zeros_like(w))
    config.setdefault("t", 0)
    config["t"] += 1
    config["m"] = config["beta1"] * config["m"] + (1 - config["beta1"]) * dw
    config["v"] = config["beta2"] * config["v"] + (1 - config["beta2"]) * dw**2
    mt = config["m"] / (1 - config["beta1"] ** config["t"])
    vt = config["v"] / (1 - config["beta2"] ** config["t"])
    return w - LEARNING_RATE * mt / (np.sqrt(vt) + config["epsilon"]), config
