"""The gradients of graphs, against finite differences and against what people wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnnkit import registry
from rnnkit.errors import RegistryError, TraceError
from rnnkit.kinds import Activation, GatedCell, Layer, RecurrentCell, named_arrays
from rnnkit.kinds.arrays import with_values
from rnnkit.kinds.traced import CellTrace, LayerTrace, named, traced
from rnnkit.testing.variants import variants
from rnnkit.tracing import trace
from rnnkit.tracing.formulas import Formula, Formulas
from rnnkit.tracing.operations import COMPUTED
from rnnkit.tracing.reverse import gradient
from rnnkit.tracing.rules import FLAT, RULES

STEP = 1e-6


def in_place(x: Any, W: Any) -> Any:
    """Writes through views and into zeros."""
    z = x @ W
    left, right = z[:, :2], z[:, 2:]
    left += 1.0
    np.tanh(right, out=right)
    z[:, ::2] *= 2.0
    flat = z.reshape(-1)
    flat[:1] = -7.0
    y = np.zeros_like(z)
    y[:, 1:] = z[:, :-1] * x[:, :1]
    y[y > 1.0] = 1.0
    return y + left[:, :1]


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def powers(x: Any) -> Any:
    roots = np.sqrt(1 + x * x) + np.reciprocal(np.sqrt(2 + x**2)) + np.cbrt(x + 9.0)
    return roots + x**3 + 2.0**x + np.abs(x) / (1.5 + np.sin(x)) + np.cos(x) * np.arctan(x)


def logarithms(x: Any) -> Any:
    y = np.logaddexp(x, 0.3) + np.arctan2(x, 2.0) + np.log1p(x * x) + np.expm1(-x)
    return y - np.log(2 + x * x) * np.sinh(x) + np.cosh(x) + np.arcsinh(x)


CASES: dict[str, tuple[Callable[..., Any], dict[str, tuple[int | str, ...]]]] = {
    "products": (lambda x, W: np.tanh(x @ W)[:, 1:3], {"x": ("N", 4), "W": (4, 4)}),
    "einsum": (
        lambda x, W: np.einsum("ni,ij->nj", x, W) - np.tensordot(x, W, 1),
        {"x": ("N", 4), "W": (4, 4)},
    ),
    "shapes": (
        lambda x, W: np.concatenate([x, x @ W], axis=1).reshape(len(x), 2, -1).swapaxes(1, 2),
        {"x": ("N", 4), "W": (4, 4)},
    ),
    "sums": (
        lambda x: np.where(x > 0, x, np.exp(x)) / (1 + np.abs(x)).sum(axis=-1, keepdims=True),
        {"x": ("N", 4)},
    ),
    "parts": (lambda x: np.stack(np.split(x, 2, axis=1)).mean(axis=0), {"x": ("N", 4)}),
    "bounds": (
        lambda x, W: np.clip(x, -0.5, 0.5).cumsum(axis=1) + W.max(axis=0),
        {"x": ("N", 4), "W": (4, 4)},
    ),
    "moments": (
        lambda x: np.var(x, axis=1) + np.linalg.norm(x, axis=1) + np.hypot(x, 1.0)[:, 0],
        {"x": ("N", 4)},
    ),
    "turned": (
        lambda x, W: np.roll(x, 1, axis=1) * np.flip(x, 1) + np.outer(x[:, 0], W[0]),
        {"x": ("N", 4), "W": (4, 4)},
    ),
    "in place": (in_place, {"x": ("N", 4), "W": (4, 4)}),
    "a row for all": (lambda x, b: (x + b).sum(axis=1), {"x": ("N", 4), "b": (1, 4)}),
    "a column": (lambda x, b: x.sum(axis=1)[:, None] + b, {"x": ("N", 4), "b": (4,)}),
    "a number": (lambda x, b: b + 0.5 * x, {"x": ("N", 4), "b": ()}),
    "one mean": (
        lambda x, b: (x.sum(axis=1, keepdims=True) + b).mean(),
        {"x": ("N", 4), "b": (1, 4)},
    ),
    "a vector": (lambda x, v: x @ v, {"x": ("N", 4), "v": (4,)}),
    "a vector first": (lambda x, v: v @ x.T, {"x": ("N", 4), "v": (4,)}),
    "stacks": (lambda x, W: x[:, None, :] @ W, {"x": ("N", 4), "W": ("N", 4, 5)}),
    "one for a stack": (lambda x, W: x[:, None, :] @ W, {"x": ("N", 4), "W": (4, 5)}),
    "softmax": (softmax, {"x": ("N", 4)}),
    "powers": (powers, {"x": ("N", 4)}),
    "logarithms": (logarithms, {"x": ("N", 4)}),
    "larger": (
        lambda x: np.minimum(x, x[:, :1]) + np.maximum(0.0, x) + x.min(axis=1)[:, None],
        {"x": ("N", 4)},
    ),
    "repeats": (
        lambda x: np.repeat(x, 2, axis=1)[:, ::2] + np.tile(x, (1, 2))[:, 4:],
        {"x": ("N", 4)},
    ),
    "layers in one array": (
        lambda R, b, x: x @ R[0] + b[0] + np.tanh(x @ R[1] + b[1]),
        {"R": (3, 4, 4), "b": (3, 4), "x": ("N", 4)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_gradient_is_the_slope(case: str) -> None:
    f, shapes = CASES[case]

    def draw(sizes: Any, rng: np.random.Generator) -> dict[str, Any]:
        return {
            name: rng.standard_normal([sizes.get(n, n) for n in shape])
            for name, shape in shapes.items()
        }

    found = gradient(trace(lambda at, rng: {"y": f(**at)}, draw))
    rng = np.random.default_rng(1)
    at = draw({"N": 6}, rng)
    d = rng.standard_normal(np.shape(f(**at)))
    gradients = found.evaluate(at, {"y": d})
    for name, a in at.items():
        v = rng.standard_normal(a.shape)
        above, below = (f(**{**at, name: a + t * v}) for t in (STEP, -STEP))
        slope = float(((above - below) * d).sum()) / (2 * STEP)
        assert gradients[name].shape == a.shape
        assert float((gradients[name] * v).sum()) == pytest.approx(slope, rel=1e-7, abs=1e-7)


def cells() -> list[RecurrentCell[Any, Any, Any]]:
    found: list[RecurrentCell[Any, Any, Any]] = []
    for name in registry.names(RecurrentCell):
        try:
            cls = registry.load(RecurrentCell, name)
        except RegistryError:
            continue
        found += [v.plugin for v in variants(cls) if v.promised]
    return found


def close(found: Any, hand: Any) -> None:
    scale = max(1e-300, float(np.abs(hand).max(initial=0.0)))
    np.testing.assert_allclose(found, hand, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("cell", cells(), ids=repr)
def test_the_gradient_of_a_cell_is_the_one_that_its_author_wrote(cell: Any) -> None:
    made, found = CellTrace(cell), gradient(traced(cell))
    rng = np.random.default_rng(3)
    at = made.draw({"N": 7, "D": 4, "H": 5}, rng)
    p, s = with_values(made.p, at, "p."), with_values(made.s, at, "s.")
    inputs = ["zx", "zh"] if isinstance(cell, GatedCell) else ["x"]
    after, cache = cell.step(p, *(at[x].copy() for x in inputs), s)
    d = {f"s.{name}": rng.standard_normal(a.shape) for name, a in named_arrays(after)}
    *dx, before, dp = cell.step_back(p, with_values(after, d, "s."), cache)
    hand = {**dict(zip(inputs, dx, strict=True)), **named("s.", before), **named("p.", dp)}
    gradients = found.evaluate(at, d)
    for name, g in hand.items():
        close(gradients[name], g)
    single = found.evaluate(*({k: a.astype(np.float32) for k, a in x.items()} for x in (at, d)))
    for name, g in hand.items():
        assert single[name].dtype == np.float32
        scale = float(np.abs(g).max(initial=0.0))
        np.testing.assert_allclose(single[name], g, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("name", registry.names(Activation))
def test_the_gradient_of_an_activation_is_the_one_that_its_author_wrote(name: str) -> None:
    activation = registry.load(Activation, name)()
    x = np.random.default_rng(0).standard_normal((7, 5))
    y, saved = activation.forward(x.copy())
    gradients = gradient(traced(activation)).evaluate({"x": x}, {"y": np.cos(y)})
    close(gradients["x"], activation.backward(np.cos(y), saved))


@pytest.mark.parametrize("name", registry.names(Layer))
def test_the_gradient_of_a_layer_is_the_one_that_its_author_wrote(name: str) -> None:
    layer = next(variants(registry.load(Layer, name))).plugin
    made = LayerTrace(layer, training=False)
    at = made.draw({"N": 7, "D": 4, "H": 5}, np.random.default_rng(1))
    p = with_values(made.p, at, "p.")
    y, cache = made.layer.forward(p, at["x"], None)
    dx, dp = made.layer.backward(p, np.cos(y), cache)
    gradients = gradient(traced(layer)).evaluate(at, {"y": np.cos(y)})
    hand = named("p.", dp) if dx is None else {"x": dx, **named("p.", dp)}
    for name, g in hand.items():
        close(gradients[name], g)


def test_what_has_no_derivative_is_named_with_its_line() -> None:
    def f(x: Any) -> Any:
        return np.prod(x, axis=1)

    graph = trace(lambda at, rng: {"y": f(at["x"])}, lambda s, rng: {"x": rng.random((s["N"], 3))})
    line = f"{__file__}:{f.__code__.co_firstlineno + 1}: "
    with pytest.raises(TraceError, match=r"knows no derivative of np\.prod") as raised:
        gradient(graph)
    assert str(raised.value).startswith(line)


def test_a_formula_is_in_the_names_of_the_author() -> None:
    lstm = registry.load(RecurrentCell, "lstm")()
    written = Formulas(gradient(traced(lstm)))
    dc = ("dc = ds.c + ds.h * o * (1 - tanh_c**2)",)
    assert [written.of("zx", (k, 4)) for k in range(4)] == [
        Formula("dc * g * i * (1 - i)", dc),
        Formula("dc * c_prev * f * (1 - f)", dc),
        Formula("ds.h * tanh_c * o * (1 - o)"),
        Formula("dc * i * (1 - g**2)", dc),
    ]
    assert written.of("s.c") == Formula("dc * f", dc)
    assert written.of("s.h") == Formula("0")


def test_a_formula_of_a_parameter_has_its_product() -> None:
    layer = next(variants(registry.load(Layer, "affine"))).plugin
    written = Formulas(gradient(traced(layer)))
    assert written.of("p.W") == Formula("x.T @ dy")
    assert written.of("x") == Formula("dy @ p.W.T")


def test_a_maximum_that_several_share_is_shared() -> None:
    graph = trace(
        lambda at, rng: {"y": at["x"].max(axis=1)}, lambda s, rng: {"x": rng.random((s["N"], 3))}
    )
    gradients = gradient(graph).evaluate({"x": np.array([[1.0, 3.0, 3.0]])}, {"y": np.ones(1)})
    np.testing.assert_array_equal(gradients["x"], [[0.0, 0.5, 0.5]])


def test_every_operation_has_a_derivative_or_is_known_to_have_none() -> None:
    elsewhere = {"getitem", "concatenate"}  # gradients of parts, which `reverse` puts together
    without = set(COMPUTED) - set(RULES) - FLAT - elsewhere
    assert without == {"prod", "copysign", "remainder", "fmod"}
