"""What the notebooks' own checks say of a function: printed values, and differences at their sizes and with their seeds.

Those of IE 590, and for the LSTM, which it does not check, those of CS231n.

They say which errors to expect, as "on the order of e-8"; ten times as much is passed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

import numpy as np

from rnnkit.compat.ie590.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
)
from rnnkit.kinds import Array
from rnnkit.testing.functions.assignment import Assignment
from rnnkit.testing.functions.settings import printed
from tests.assignment import rel_error

SHAPES: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = {
    "rnn_step": {"x": (5, 6), "prev_h": (5, 7), "Wx": (6, 7), "Wh": (7, 7), "b": (7,)},
    "rnn": {"x": (2, 12, 4), "h0": (2, 6), "Wx": (4, 6), "Wh": (6, 6), "b": (6,)},
    "lstm_step": {
        "x": (4, 5),
        "prev_h": (4, 6),
        "prev_c": (4, 6),
        "Wx": (5, 24),
        "Wh": (6, 24),
        "b": (24,),
    },
    "lstm": {"x": (2, 10, 3), "h0": (2, 6), "Wx": (3, 24), "Wh": (6, 24), "b": (24,)},
    "temporal_affine": {"x": (2, 4, 5), "w": (5, 6), "b": (6,)},
}
EXPECTED: Final = {
    "rnn_step": 1e-8,
    "rnn": 1e-8,
    "lstm_step": 1e-6,
    "lstm": 1e-6,
    "temporal_affine": 1e-9,
}
"""Errors of gradients that the notebooks call right; those of the LSTM also reach 3e-6 where all is right."""


def passes(module: ModuleType, name: str, assignment: Assignment) -> bool:
    """Whether the notebook would have let a function pass; one that raises does not."""
    try:
        return _values(module, name, assignment) and _gradients(module, name)
    except Exception:
        return False


def _values(module: ModuleType, name: str, assignment: Assignment) -> bool:
    if name == "temporal_softmax_loss":
        return _losses(getattr(module, name))
    task = next(task for task in assignment.tasks if task.name == name)
    forward = getattr(module, f"{name}_forward")
    for numbers in task.printed.values():
        got = forward(**printed(numbers["arguments"]))
        for a, b in zip(got, numbers["outputs"], strict=False):
            if rel_error(np.asarray(a), np.asarray(b)) > 1e-6:
                return False
    return True


def _losses(loss: Callable[..., Any]) -> bool:
    draw = np.random.RandomState(590)
    for N, T, p, about in ((100, 1, 1.0, 2.3), (100, 10, 1.0, 23.0), (1000, 10, 0.1, 2.3)):
        x = 0.001 * draw.randn(N, T, 10)
        y, mask = draw.randint(10, size=(N, T)), draw.rand(N, T) <= p
        if abs(loss(x, y, mask)[0] - about) > 0.1 * about:
            return False
    return True


def _gradients(module: ModuleType, name: str) -> bool:
    draw = np.random.RandomState(231 if "lstm" in name else 590)
    if name == "temporal_softmax_loss":
        x, y, mask = draw.randn(80, 1, 12), draw.randint(12, size=(80, 1)), draw.rand(80, 1) > 0.5
        loss = module.temporal_softmax_loss
        _, dx = loss(x, y, mask)
        numeric = eval_numerical_gradient(lambda x: loss(x, y, mask)[0], x, verbose=False)
        return rel_error(dx, numeric) < 1e-6
    forward, backward = (getattr(module, f"{name}_{way}") for way in ("forward", "backward"))
    if name == "word_embedding":
        words, W = draw.randint(6, size=(40, 4)), draw.randn(6, 8)
        out, cache = forward(words, W)
        dout = draw.randn(*out.shape)
        numeric = eval_numerical_gradient_array(lambda W: forward(words, W)[0], W, dout)
        return rel_error(backward(dout, cache), numeric) < 1e-10
    arguments = {k: draw.randn(*shape) for k, shape in SHAPES[name].items()}
    *outputs, cache = forward(**arguments)
    cotangents = [draw.randn(*y.shape) for y in outputs]
    gradients = backward(*cotangents, cache)
    for (k, a), given in zip(arguments.items(), gradients, strict=True):
        summed = np.zeros_like(a)
        for i, c in enumerate(cotangents):

            def output(moved: Array, k: str = k, i: int = i) -> Array:
                returned: Array = forward(**{**arguments, k: moved})[i]
                return returned

            summed += eval_numerical_gradient_array(output, a, c)
        if rel_error(summed, given) > 10 * EXPECTED[name]:
            return False
    return True
