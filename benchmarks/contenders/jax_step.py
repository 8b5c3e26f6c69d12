"""JAX: loss, gradients and Adam in one compiled function, the recurrence a scan, old arrays given away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp

from benchmarks.task import LEARNING_RATE, NULL, Task

Params: TypeAlias = dict[str, jax.Array]
State: TypeAlias = tuple[jax.Array, ...]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def step(task: Task) -> Callable[[int], float]:
    """One update."""
    cell = CELLS[task.problem.cell]

    def update(
        p: Params, m: Params, v: Params, t: jax.Array, features: jax.Array, captions: jax.Array
    ) -> tuple[jax.Array, Params, Params, Params, jax.Array]:
        value, dp = jax.value_and_grad(loss)(p, cell, features, captions)
        t = t + 1
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, dp)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, dp)
        p = jax.tree.map(
            lambda w, m, v: (
                w - LEARNING_RATE * (m / (1 - BETA1**t)) / (jnp.sqrt(v / (1 - BETA2**t)) + EPSILON)
            ),
            p,
            m,
            v,
        )
        return value, p, m, v, t

    compiled = jax.jit(update, donate_argnums=(0, 1, 2, 3))
    p = {name: jnp.array(w) for name, w in task.parameters.items()}
    state = p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.zeros(())
    batches = [(jnp.array(b.features), jnp.array(b.captions)) for b in task.batches]

    def run(i: int) -> float:
        nonlocal state
        value, *rest = compiled(*state, *batches[i])
        state = tuple(jax.block_until_ready(rest))
        return float(value)

    return run


def loss(
    p: Params, cell: Callable[..., State], features: jax.Array, captions: jax.Array
) -> jax.Array:
    """The sum over unmasked positions, divided by N."""
    words, targets = captions[:, :-1].T, captions[:, 1:].T  # time first, for the scan
    h0 = features @ p["image.0.W"] + p["image.0.b"]
    zx = p["words.0.W"][words] @ p["rnn.0.Wx"] + p["rnn.0.b"]

    def scanned(state: State, zx: jax.Array) -> tuple[State, jax.Array]:
        state = cell(p, zx, state)
        return state, state[0]

    _, h = jax.lax.scan(scanned, (h0, jnp.zeros_like(h0)), zx)
    log_probs = jax.nn.log_softmax(h @ p["head.0.W"] + p["head.0.b"])
    chosen = jnp.take_along_axis(log_probs, targets[:, :, None], axis=2)[:, :, 0]
    return -jnp.where(targets != NULL, chosen, 0.0).sum() / len(captions)


def vanilla(p: Params, zx: jax.Array, state: State) -> State:
    """One step; the second slot of the state is the LSTM's."""
    h, c = state
    return jnp.tanh(zx + h @ p["rnn.0.Wh"]), c


def lstm(p: Params, zx: jax.Array, state: State) -> State:
    """One step."""
    h, c = state
    i, f, o, g = jnp.split(zx + h @ p["rnn.0.Wh"], 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru(p: Params, zx: jax.Array, state: State) -> State:
    """One step."""
    h, c = state
    xr, xu, xn = jnp.split(zx, 3, axis=1)
    hr, hu, hn = jnp.split(h @ p["rnn.0.Wh"], 3, axis=1)
    u = jax.nn.sigmoid(xu + hu)
    n = jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * (hn + p["rnn.0.cell.bn"]))
    return (1 - u) * n + u * h, c


CELLS = {"vanilla": vanilla, "lstm": lstm, "gru": gru}
