"""The assignment's functions with one mistake each: the check names the leaf and the reason."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.testing import check
from tests.mistakes.styles import SOLUTIONS, STYLES

SOURCE = (Path(__file__).parent / "coursework" / "rnn_layers.py").read_text(encoding="utf-8")
FILES = count()
N, T, D, H, V = 3, 4, 5, 4, 6


def written(name: str, *changes: tuple[str, str], source: str = SOURCE) -> list[Callable[..., Any]]:
    """The functions of that name as students would write them, with some text changed.

    The source can be looked up, as that of a file or of a notebook's cell.
    """
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    file = f"<coursework {next(FILES)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module: dict[str, Any] = {}
    exec(compile(source, file, "exec"), module)
    if name.endswith("loss"):
        return [module[name]]
    return [module[f"{name}_forward"], module[f"{name}_backward"]]


def arguments(name: str, n: int = N, h: int = H) -> dict[str, Any]:
    """What to call the functions of that name with."""
    draw = np.random.default_rng(0).standard_normal
    if name == "word_embedding":
        return {"x": np.array([[0, 3, 1, 2], [2, 1, 0, 3], [3, 3, 5, 1]]), "W": draw((V, D))}
    if name == "temporal_affine":
        return {"x": draw((n, T, D)), "w": draw((D, h)), "b": draw(h)}
    if name == "temporal_softmax_loss":
        mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], bool)
        return {"x": draw((N, T, V)), "y": np.arange(N * T).reshape(N, T) % V, "mask": mask}
    wide = 4 * h if "lstm" in name else h
    weights = {"Wx": draw((D, wide)), "Wh": draw((h, wide)), "b": draw(wide)}
    if not name.endswith("step"):
        few = {k: w[..., : 8 if "lstm" in name else 2] for k, w in weights.items()}
        few["Wx"], few["Wh"] = few["Wx"][:3], few["Wh"][:2]
        return {"x": draw((2, T, 3)), "h0": draw((2, 2)), **few}
    state = {"prev_h": draw((n, h))} | ({"prev_c": draw((n, h))} if "lstm" in name else {})
    return {"x": draw((n, D)), **state, **weights}


def told(name: str, *changes: tuple[str, str], n: int = N) -> list[str]:
    """The lines of what is said of a mistake."""
    with pytest.raises(AssertionError) as caught:
        check(*written(name, *changes), **arguments(name, n))
    return str(caught.value).splitlines()


def reasons(lines: list[str]) -> dict[str, str]:
    """The reason that is given for each leaf that is wrong."""
    found = [
        re.match(r"  (\w+) +WRONG.*?are wrong\)(?:; gates [^;]*)?(?:; (.*))?$", s) for s in lines
    ]
    return {m[1]: m[2] or "" for m in found if m}


NAMES = (
    "rnn_step",
    "rnn",
    "lstm_step",
    "lstm",
    "word_embedding",
    "temporal_affine",
    "temporal_softmax_loss",
)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_right_passes_and_no_error_is_exactly_0(name: str) -> None:
    assert 0.0 < check(*written(name), **arguments(name)) < 1e-10


STEP = "it follows from what is wrong in b, and is right once that is"


def _from_z(reason: str) -> dict[str, str]:
    """The array that all gradients of a step come from is wrong: it shows in those of the weights."""
    return dict.fromkeys(("x", "prev_h"), STEP) | dict.fromkeys(("Wx", "Wh", "b"), reason)


SEQUENCE = ("x", "h0", "Wx", "Wh", "b")


def _way(x: str, h0: str = "wrong or missing") -> dict[str, str]:
    """The way back in time is cut: it shows in the inputs, and may have another cause in the parameters."""
    told = "right for what comes from step 0 alone: the way from a step back to the one before is"
    wrong = dict.fromkeys(SEQUENCE, f"{told} wrong or missing")
    return wrong | {"x": f"{told} {x}", "h0": f"{told} {h0}"}


MISTAKES: list[tuple[str, str, str, dict[str, str]]] = [
    (
        "rnn_step",
        "dz = dnext_h * (1 - next_h**2)",
        "dz = dnext_h",
        _from_z("a factor (1 - next_h^2) is missing"),
    ),
    (
        "rnn_step",
        "(1 - next_h**2)",
        "(1 - next_h)",
        _from_z("there is a factor (1 - next_h) instead of (1 - next_h^2)"),
    ),
    (
        "rnn_step",
        "(1 - next_h**2)",
        "next_h * (1 - next_h)",
        _from_z("there is a factor next_h (1 - next_h) instead of (1 - next_h^2)"),
    ),
    (
        "rnn_step",
        "dz = dnext_h * (1 - next_h**2)",
        "dz = (dnext_h * (1 - next_h**2)).astype(np.float32).astype(float)",
        _from_z("it is right to about 7 digits: is it float32 in between?"),
    ),
    (
        "rnn_step",
        "dx = dz.dot(Wx.T)",
        "dx = dnext_h.dot(Wx.T)",
        {"x": "in what Wx is multiplied by, a factor (1 - next_h^2) is missing"},
    ),
    (
        "rnn_step",
        "dprev_h = dz.dot(Wh.T)",
        "dprev_h = dz.dot(Wh)",
        {"prev_h": "Wh is transposed where it must not be, or the other way round"},
    ),
    (
        "rnn_step",
        "dprev_h = dz.dot(Wh.T)",
        "dprev_h = dz.dot(Wh.T) + dnext_h",
        {"prev_h": "there is an extra term dnext_h"},
    ),
    (
        "rnn_step",
        "dprev_h = dz.dot(Wh.T)",
        "dprev_h = np.zeros_like(prev_h)",
        {"prev_h": "it is 0 everywhere: this path has no gradient"},
    ),
    (
        "rnn_step",
        "dWh = prev_h.T.dot(dz)",
        "dWh = next_h.T.dot(dz)",
        {"Wh": "next_h stands where prev_h belongs"},
    ),
    (
        "rnn_step",
        "dWh = prev_h.T.dot(dz)",
        "dWh = dz.T.dot(prev_h)",
        {"Wh": "it is the transpose of the right one"},
    ),
    (
        "rnn_step",
        "dWx = x.T.dot(dz)",
        "dWx = x.T.dot(dz) / len(x)",
        {"Wx": "it is 0.333333 times the right one (1/3: a mean instead of a sum?)"},
    ),
    (
        "rnn_step",
        "db = dz.sum(axis=0)",
        "db = dz.mean(axis=0)",
        {"b": "it is 0.333333 times the right one (1/3: a mean instead of a sum?)"},
    ),
    (
        "rnn_step",
        "db = dz.sum(axis=0)",
        "db = dz[0]",
        {"b": "it is the part of row 0 alone: a sum over the rows is missing"},
    ),
    (
        "rnn_step",
        "db = dz.sum(axis=0)",
        "db = dnext_h.sum(axis=0)",
        {"b": "a factor (1 - next_h^2) is missing"},
    ),
    (
        "rnn",
        "dh[:, t] + dprev_h",
        "dh[:, t]",
        _way("missing", h0="missing"),
    ),
    (
        "rnn",
        "dh[:, t] + dprev_h",
        "dprev_h",
        dict.fromkeys(SEQUENCE, "it is 0 everywhere: this path has no gradient"),
    ),
    (
        "rnn",
        "dh[:, t] + dprev_h",
        "dh[:, t] + 2 * dprev_h",
        _way("wrong"),
    ),
    (
        "rnn",
        "reversed(range(T))",
        "reversed(range(T - 1))",
        dict.fromkeys(SEQUENCE, "nothing comes back from step 3"),
    ),
    (
        "rnn",
        "dWx += dWx_t",
        "dWx = dWx_t",
        {
            "Wx": "right for what comes from step 0 alone: the sum over the steps is wrong or missing"
        },
    ),
    (
        "rnn",
        "db += db_t",
        "db += db_t / T",
        {"b": "it is 0.25 times the right one (1/4: a mean instead of a sum?)"},
    ),
    ("rnn", "dWh += dWh_t", "dWh -= dWh_t", {"Wh": "the sign is wrong"}),
    (
        "rnn",
        "dx[:, t] = dx_t",
        "dx[:, t - 1] = dx_t",
        {"x": "it is shifted by one along axis 1: each index has the gradient of the one after"},
    ),
    (
        "lstm_step",
        "df = dc * prev_c",
        "df = dc * next_c",
        _from_z("in gate f: there is a factor next_c instead of prev_c"),
    ),
    (
        "lstm_step",
        "di = dc * g",
        "di = dc * i",
        _from_z("in gate i: there is a factor i instead of g"),
    ),
    (
        "lstm_step",
        "dag = dg * (1 - g**2)",
        "dag = dg * g * (1 - g)",
        _from_z("in gate g: there is a factor g (1 - g) instead of (1 - g^2)"),
    ),
    (
        "lstm_step",
        "dag = dg * (1 - g**2)",
        "dag = dg",
        _from_z("in gate g: a factor (1 - g^2) is missing"),
    ),
    (
        "lstm_step",
        "dai = di * i * (1 - i)",
        "dai = di * i",
        _from_z("in gate i: a factor (1 - i) is missing"),
    ),
    (
        "lstm_step",
        "(dai, daf, dao, dag)",
        "(dai, dao, daf, dag)",
        _from_z("in gate f: it is the gradient of gate o; in gate o: it is the gradient of gate f"),
    ),
    (
        "lstm_step",
        "(dai, daf, dao, dag)",
        "(dai, daf, dag, dao)",
        _from_z("in gate o: it is the gradient of gate g; in gate g: it is the gradient of gate o"),
    ),
    (
        "lstm_step",
        "dnext_c + dnext_h * o * (1 - np.tanh(next_c) ** 2)",
        "dnext_c",
        {
            "x": "it follows from what is wrong in b, and is right once that is",
            "prev_h": "it follows from what is wrong in b, and is right once that is",
            "prev_c": "in the part that comes from next_h: it is 0 everywhere: this path has no gradient",
            "Wx": "in gates i, f, g: in the part that comes from next_h: it is 0 everywhere: this path has no gradient",
            "Wh": "in gates i, f, g: in the part that comes from next_h: it is 0 everywhere: this path has no gradient",
            "b": "in gates i, f, g: in the part that comes from next_h: it is 0 everywhere: this path has no gradient",
        },
    ),
    (
        "lstm_step",
        "dnext_c + dnext_h * o * (1 - np.tanh(next_c) ** 2)",
        "dnext_h * o * (1 - np.tanh(next_c) ** 2)",
        {
            "x": "in the part that comes from next_c: it is 0 everywhere: this path has no gradient",
            "prev_h": "in the part that comes from next_c: it is 0 everywhere: this path has no gradient",
            "prev_c": "in the part that comes from next_c: it is 0 everywhere: this path has no gradient",
            "Wx": "in gates i, f, g: in the part that comes from next_c: it is 0 everywhere: this path has no gradient",
            "Wh": "in gates i, f, g: in the part that comes from next_c: it is 0 everywhere: this path has no gradient",
            "b": "in gates i, f, g: in the part that comes from next_c: it is 0 everywhere: this path has no gradient",
        },
    ),
    (
        "lstm_step",
        "dnext_c + dnext_h * o * (1 - np.tanh(next_c) ** 2)",
        "dnext_c + dnext_h * o",
        {
            "x": "it follows from what is wrong in b, and is right once that is",
            "prev_h": "it follows from what is wrong in b, and is right once that is",
            "prev_c": "in the part that comes from next_h: a factor (1 - tanh(next_c)^2) is missing",
            "Wx": "in gates i, f, g: in the part that comes from next_h: a factor (1 - tanh(next_c)^2) is missing",
            "Wh": "in gates i, f, g: in the part that comes from next_h: a factor (1 - tanh(next_c)^2) is missing",
            "b": "in gates i, f, g: in the part that comes from next_h: a factor (1 - tanh(next_c)^2) is missing",
        },
    ),
    (
        "lstm_step",
        "dnext_c + dnext_h * o * (1 - np.tanh(next_c) ** 2)",
        "dnext_c + dnext_h * (1 - np.tanh(next_c) ** 2)",
        {
            "x": "it follows from what is wrong in b, and is right once that is",
            "prev_h": "it follows from what is wrong in b, and is right once that is",
            "prev_c": "in the part that comes from next_h: a factor o is missing",
            "Wx": "in gates i, f, g: in the part that comes from next_h: a factor o is missing",
            "Wh": "in gates i, f, g: in the part that comes from next_h: a factor o is missing",
            "b": "in gates i, f, g: in the part that comes from next_h: a factor o is missing",
        },
    ),
    (
        "lstm_step",
        "(1 - np.tanh(next_c) ** 2)",
        "(1 - next_c**2)",
        {
            "x": "it follows from what is wrong in b, and is right once that is",
            "prev_h": "it follows from what is wrong in b, and is right once that is",
            "prev_c": "in the part that comes from next_h: there is a factor (1 - next_c^2) instead of (1 - tanh(next_c)^2)",
            "Wx": "in gates i, f, g: in the part that comes from next_h: there is a factor (1 - next_c^2) instead of (1 - tanh(next_c)^2)",
            "Wh": "in gates i, f, g: in the part that comes from next_h: there is a factor (1 - next_c^2) instead of (1 - tanh(next_c)^2)",
            "b": "in gates i, f, g: in the part that comes from next_h: there is a factor (1 - next_c^2) instead of (1 - tanh(next_c)^2)",
        },
    ),
    (
        "lstm_step",
        "do = dnext_h * np.tanh(next_c)",
        "do = dnext_h * next_c",
        _from_z("in gate o: there is a factor next_c instead of tanh(next_c)"),
    ),
    ("lstm_step", "dprev_c = dc * f", "dprev_c = dc", {"prev_c": "a factor f is missing"}),
    (
        "lstm_step",
        "db = da.sum(axis=0)",
        "db = da.mean(axis=0)",
        {"b": "it is 0.333333 times the right one (1/3: a mean instead of a sum?)"},
    ),
    (
        "lstm",
        "dh[:, t] + dprev_h",
        "dh[:, t]",
        _way("wrong"),
    ),
    (
        "lstm",
        "dprev_c, cache[t]",
        "np.zeros((N, H)), cache[t]",
        _way("wrong"),
    ),
    (
        "lstm",
        "reversed(range(T))",
        "reversed(range(T - 1))",
        dict.fromkeys(SEQUENCE, "nothing comes back from step 3"),
    ),
    (
        "lstm",
        "dWx += dWx_t",
        "dWx = dWx_t",
        {
            "Wx": "right for what comes from step 0 alone: the sum over the steps is wrong or missing"
        },
    ),
    (
        "lstm",
        "db += db_t",
        "db += db_t / T",
        {"b": "it is 0.25 times the right one (1/4: a mean instead of a sum?)"},
    ),
    (
        "lstm",
        "dh[:, t] + dprev_h, dprev_c",
        "dh[:, t] + dprev_c, dprev_h",
        _way("wrong"),
    ),
    (
        "word_embedding",
        "np.add.at(dW, x, dout)",
        "dW[x] += dout",
        {
            "W": "of indices 0, 1, 2, 3, used more than once, only one use counts: they must be added up (np.add.at does)"
        },
    ),
    (
        "word_embedding",
        "np.add.at(dW, x, dout)",
        "dW[x] = dout",
        {
            "W": "of indices 0, 1, 2, 3, used more than once, only one use counts: they must be added up (np.add.at does)"
        },
    ),
    (
        "word_embedding",
        "np.add.at(dW, x, dout)",
        "np.add.at(dW, x[:, 0], dout[:, 0])",
        {"W": "nothing comes back from steps 1, 2, 3"},
    ),
    (
        "word_embedding",
        "np.add.at(dW, x, dout)",
        "np.add.at(dW, x[:, 1:], dout[:, 1:])",
        {"W": "nothing comes back from step 0"},
    ),
    (
        "word_embedding",
        "np.add.at(dW, x, dout)",
        "np.add.at(dW, x, -dout)",
        {"W": "the sign is wrong"},
    ),
    (
        "word_embedding",
        "np.add.at(dW, x, dout)",
        "np.add.at(dW, x, dout / len(x))",
        {"W": "it is 0.333333 times the right one (1/3: a mean instead of a sum?)"},
    ),
    (
        "word_embedding",
        "np.add.at(dW, x, dout)",
        "np.add.at(dW, x + 1 - len(W), dout)",
        {"W": "it is shifted by one along axis 0: each index has the gradient of the one before"},
    ),
    (
        "temporal_affine",
        "db = dout.sum(axis=(0, 1))",
        "db = dout.mean(axis=(0, 1))",
        {"b": "it is 0.0833333 times the right one (1/12: a mean instead of a sum?)"},
    ),
    (
        "temporal_affine",
        "db = dout.sum(axis=(0, 1))",
        "db = dout.sum(axis=0).mean(axis=0)",
        {"b": "it is 0.25 times the right one (1/4: a mean instead of a sum?)"},
    ),
    (
        "temporal_affine",
        "db = dout.sum(axis=(0, 1))",
        "db = dout[:, 0].sum(axis=0)",
        {"b": "nothing comes back from steps 1, 2, 3"},
    ),
    (
        "temporal_affine",
        "db = dout.sum(axis=(0, 1))",
        "db = dout[:, :-1].sum(axis=(0, 1))",
        {"b": "nothing comes back from step 3"},
    ),
    (
        "temporal_affine",
        "db = dout.sum(axis=(0, 1))",
        "db = dout[:-1].sum(axis=(0, 1))",
        {"b": "row 2 is missing from the sum over the rows"},
    ),
    (
        "temporal_affine",
        "return dx, dw, db",
        "return dx, dw / N, db",
        {"w": "it is 0.333333 times the right one (1/3: a mean instead of a sum?)"},
    ),
    ("temporal_affine", "return dx, dw, db", "return -dx, dw, db", {"x": "the sign is wrong"}),
    (
        "temporal_affine",
        "return dx, dw, db",
        "return np.zeros_like(x), dw, db",
        {"x": "it is 0 everywhere: this path has no gradient"},
    ),
    (
        "temporal_softmax_loss",
        "dx_flat *= mask_flat[:, None]",
        "pass",
        {"x": "it is wrong only where it must be 0: is a mask missing, or that of a clip?"},
    ),
    (
        "temporal_softmax_loss",
        "dx_flat /= N",
        "dx_flat /= N * T",
        {"x": "it is 0.25 times the right one (1/4: a mean instead of a sum?)"},
    ),
    (
        "temporal_softmax_loss",
        "dx_flat /= N",
        "dx_flat /= mask.sum()",
        {"x": "it is 0.333333 times the right one (1/3: a mean instead of a sum?)"},
    ),
    (
        "temporal_softmax_loss",
        "dx_flat /= N",
        "pass",
        {"x": "it is 3 times the right one (counted 3 times?)"},
    ),
    ("temporal_softmax_loss", "return loss, dx", "return loss, -dx", {"x": "the sign is wrong"}),
    (
        "temporal_softmax_loss",
        "(mask_flat * np.log",
        "(np.log",
        {"x": "it is wrong only where it is 0: a mask too many, or something left out?"},
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "want"), MISTAKES)
def test_a_mistake_is_found_with_its_leaf_and_its_reason(
    name: str, old: str, new: str, want: dict[str, str]
) -> None:
    assert reasons(told(name, (old, new))) == want


def test_a_first_step_that_is_left_out_is_named_in_the_input() -> None:
    found = reasons(told("rnn", ("reversed(range(T))", "reversed(range(1, T))")))
    assert found["x"] == "index 0 of axis 1 has been left out"
    assert set(found) == {"x", "h0", "Wx", "Wh", "b"}


def test_a_sum_over_the_wrong_axis_is_found_where_shapes_agree_and_where_not() -> None:
    change = ("db = dz.sum(axis=0)", "db = dz.sum(axis=1)")
    reason = (
        "it is summed over the wrong axis: it has a number for each row, not the sum over the rows"
    )
    assert reasons(told("rnn_step", change, n=H)) == {"b": reason}
    assert told("rnn_step", change)[1] == "shapes: the gradient of 'b' has shape (3,), not (4,)"


@pytest.mark.parametrize(
    ("name", "old", "new", "lines"),
    [
        (
            "rnn_step",
            "next_h = np.tanh(",
            "x *= 2\n    next_h = np.tanh(",
            [
                "rnn_step_forward is wrong",
                "inputs unchanged: forward changes its input 'x' in place",
            ],
        ),
        (
            "word_embedding",
            "out = W[x]",
            "x[x == 0] = 1\n    out = W[x]",
            [
                "word_embedding_forward is wrong",
                "inputs unchanged: forward changes its input 'x' in place",
            ],
        ),
        (
            "rnn_step",
            "dz = dnext_h * (1 - next_h**2)",
            "dnext_h *= 1 - next_h**2\n    dz = dnext_h",
            [
                "rnn_step_backward is wrong",
                "inputs unchanged: backward changes the gradient 'next_h' it is given",
            ],
        ),
        (
            "rnn_step",
            "dx = dz.dot(Wx.T)",
            "dx = np.dot(dz, Wx.T, out=x)",
            [
                "rnn_step_backward is wrong",
                "inputs unchanged: backward changes 'x', which it has from the cache, in place",
            ],
        ),
        (
            "rnn_step",
            "dx = dz.dot(Wx.T)",
            "dx = dz.dot(Wx.T) * np.random.default_rng().random(x.shape)",
            [
                "rnn_step_backward is wrong",
                "stale cache: the gradient of 'x' changes when backward runs again: its cache has not "
                "changed, so it draws random numbers or remembers something; what it needs must be in "
                "the cache",
            ],
        ),
        (
            "lstm_step",
            "dag = dg * (1 - g**2)",
            "g *= -g\n    dag = dg * (1 + g)",
            [
                "lstm_step_backward is wrong",
                "inputs unchanged: backward changes 'g', which it has from the cache, in place",
            ],
        ),
        (
            "rnn_step",
            "return next_h, cache",
            "pass",
            [
                "rnn_step_forward is wrong",
                "written: forward returns None: it is not written yet, or its return statement is missing",
            ],
        ),
        (
            "rnn_step",
            "    return next_h, cache",
            "    next_h, cache = None, None\n    return next_h, cache",
            [
                "rnn_step_forward is wrong",
                "written: forward returns None as next_h: that is not written yet",
            ],
        ),
        (
            "rnn_step",
            "return next_h, cache",
            "return next_h",
            [
                "rnn_step_forward is wrong",
                "returns: forward returns one ndarray alone: it must return its output and its cache",
            ],
        ),
        (
            "word_embedding",
            "return dW",
            "pass",
            [
                "word_embedding_backward is wrong",
                "written: backward returns None: it is not written yet, or its return statement is missing",
            ],
        ),
        (
            "rnn_step",
            "return dx, dprev_h, dWx, dWh, db",
            "return dx, None, dWx, None, db",
            [
                "rnn_step_backward is wrong",
                "written: backward returns None as dprev_h, dWh: that is not written yet",
            ],
        ),
        (
            "rnn_step",
            "dz = dnext_h * (1 - next_h**2)",
            "dz = (dnext_h * (1 - next_h**2)).astype(np.float32)",
            [
                "rnn_step_backward is wrong",
                "types: gradient of 'b' is float32 where float64 went in",
            ],
        ),
        (
            "temporal_softmax_loss",
            "dx_flat = probs.copy()",
            "dx_flat = probs.astype(np.float32)",
            [
                "temporal_softmax_loss is wrong",
                "types: gradient of 'x' is float32 where float64 went in",
            ],
        ),
    ],
)
def test_a_broken_law_blames_the_pass_that_breaks_it(
    name: str, old: str, new: str, lines: list[str]
) -> None:
    assert told(name, (old, new)) == lines


def test_a_function_that_raises_not_implemented_error_is_told_as_not_written() -> None:
    first, second = told(
        "rnn_step", ("next_h = np.tanh(", "raise NotImplementedError('todo')\n    (")
    )
    assert first == "rnn_step_forward is wrong"
    assert second.startswith("written: forward is not written yet: NotImplementedError: todo [")


def test_what_fills_a_real_array_is_judged_by_differences_and_one_line_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check(*written("rnn_step"), **arguments("rnn_step"))
    assert capsys.readouterr().out == ""
    check(*written("rnn"), **arguments("rnn"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        "note: the forward pass is not complex-analytic, so finite differences check it: output 'h' has lost "
        "its imaginary part (was it written into a real array, as np.zeros makes?)"
    )


@pytest.mark.parametrize(("style", "name"), SOLUTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_a_right_solution_passes_in_whatever_style(style: str, name: str, seed: int) -> None:
    drawn = np.random.default_rng(seed)
    given = {
        k: drawn.standard_normal(a.shape) if a.dtype.kind == "f" else a
        for k, a in arguments(name).items()
    }
    assert check(*written(name, *STYLES[style]), **given) < 1e-10


def test_gates_in_another_order_are_named_by_the_caller() -> None:
    change = ("dag = dg * (1 - g**2)", "dag = dg")
    with pytest.raises(AssertionError, match="in gate last: a factor"):
        check(
            *written("lstm_step", change), **arguments("lstm_step"), gates=("a", "b", "c", "last")
        )
