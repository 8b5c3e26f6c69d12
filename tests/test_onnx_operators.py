"""Each operation of a traced graph computes in ONNX Runtime what NumPy computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import onnxruntime
import pytest
from onnx import checker, helper

from rnnkit import registry
from rnnkit.captioning.exporting.onnx import elementwise
from rnnkit.captioning.exporting.onnx.emitter import OPERATIONS, emit
from rnnkit.captioning.exporting.onnx.scope import IR_VERSION, OPSET, Scope, kind_of, port
from rnnkit.captioning.exporting.onnx.values import Values
from rnnkit.errors import TraceError
from rnnkit.kinds import Activation
from rnnkit.tracing import Sizes, trace
from rnnkit.tracing.operations import COMPUTED

Function = Callable[[Mapping[str, Any]], Any]


def in_onnx(function: Function, arrays: Mapping[str, Any], *, rows: int = 5) -> Any:
    """What a function of arrays by name computes in ONNX Runtime, traced at fewer rows than these."""

    def draw(sizes: Sizes, rng: np.random.Generator) -> dict[str, Any]:
        return {name: a[: sizes["N"]] if len(a) == rows else a for name, a in arrays.items()}

    graph = trace(lambda a, _: {"y": function(a)}, draw)
    scope = Scope()
    names = {name: f"in_{name}" for name in arrays}
    first = next(
        name for name, node in graph.inputs.items() if node.shape and len(arrays[name]) == rows
    )
    count = scope.op("Shape", names[first], start=0, end=1)
    found = emit(graph, Values(scope, count), names)["y"]
    kinds = {name: kind_of(np.asarray(a).dtype) for name, a in arrays.items()}
    scope.call("y", found)
    made = scope.graph(
        "test",
        [
            port(names[n], kinds[n], ["N" if len(a) == rows else len(a), *a.shape[1:]])
            for n, a in arrays.items()
        ],
        [port("y", kind_of(graph.outputs["y"].dtype), [None] * len(graph.outputs["y"].shape))],
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    types = {"f": np.float32, "i": np.int64, "b": np.bool_}
    fed: dict[str, Any] = {names[n]: np.asarray(a, types[kinds[n]]) for n, a in arrays.items()}
    known = {port.name for port in session.get_inputs()}
    (y,) = session.run(["y"], {n: a for n, a in fed.items() if n in known})
    return y


X: Final = np.linspace(-2.3, 2.72, 15).reshape(5, 3)
POSITIVE: Final = np.linspace(0.1, 3.1, 15).reshape(5, 3)
WITHIN: Final = np.linspace(-0.9, 0.9, 15).reshape(5, 3)
Y: Final = np.cos(np.arange(15.0)).reshape(5, 3) * 2
WHOLE: Final = np.arange(-7, 8).reshape(5, 3)
DIVISORS: Final = np.array([[3, -2, 4]] * 5)
TRUTHS: Final = np.arange(15).reshape(5, 3) % 3 == 0
OTHERS: Final = np.arange(15).reshape(5, 3) % 2 == 0
SPECIAL: Final = np.array([[np.nan, np.inf, 1.0], [-np.inf, 0.0, -2.0]] * 2 + [[1.0, 2.0, 3.0]])

ABOVE_0: Final = ("sqrt", "log", "log2", "log10", "log1p", "reciprocal", "power", "float_power")
INSIDE: Final = ("arcsin", "arccos", "arctanh")


def test_every_operation_that_is_traced_is_known() -> None:
    tables = (elementwise.FLOATS, elementwise.TESTS, elementwise.COMPARISONS, elementwise.LOGIC)
    assert {*COMPUTED} <= {name for table in (*tables, OPERATIONS) for name in table}


def domain(name: str) -> Any:
    """Where a function is defined."""
    if name == "arccosh":
        return POSITIVE + 1.0
    return POSITIVE if name in ABOVE_0 else WITHIN if name in INSIDE else X


@pytest.mark.parametrize("name", [name for name in elementwise.FLOATS if name != "sigmoid"])
def test_functions_of_floating_point_numbers(name: str) -> None:
    function = getattr(np, name)
    arrays = {"x": domain(name), "y": Y}
    if function.nin == 1:
        y = in_onnx(lambda a: function(a["x"]) + 0.0 * a["y"], arrays)
        wanted = function(arrays["x"])
    else:
        y = in_onnx(lambda a: function(a["x"], a["y"]), arrays)
        wanted = function(arrays["x"], Y)
    np.testing.assert_allclose(y, wanted, rtol=3e-6, atol=2e-6)


@pytest.mark.parametrize("name", elementwise.INTEGERS)
def test_functions_of_whole_numbers(name: str) -> None:
    function = getattr(np, name)
    if function.nin == 1:
        np.testing.assert_array_equal(
            in_onnx(lambda a: function(a["x"]), {"x": WHOLE}), function(WHOLE)
        )
        return
    other = np.abs(DIVISORS) if name == "power" else DIVISORS
    y = in_onnx(lambda a: function(a["x"], a["y"]), {"x": WHOLE, "y": other})
    np.testing.assert_array_equal(y, function(WHOLE, other))


@pytest.mark.parametrize("name", elementwise.COMPARISONS)
def test_comparisons(name: str) -> None:
    function = getattr(np, name)
    for x, y in ((X, np.where(TRUTHS, X, Y)), (WHOLE, DIVISORS), (TRUTHS, OTHERS)):
        found = in_onnx(lambda a: function(a["x"], a["y"]), {"x": x, "y": y})
        np.testing.assert_array_equal(found, function(x, y))


@pytest.mark.parametrize("name", elementwise.TESTS)
def test_questions_about_numbers(name: str) -> None:
    function = getattr(np, name)
    y = in_onnx(lambda a: function(a["x"]), {"x": SPECIAL})
    np.testing.assert_array_equal(y, function(SPECIAL))


@pytest.mark.parametrize("name", elementwise.LOGIC)
def test_functions_of_truths(name: str) -> None:
    function = getattr(np, name)
    if function.nin == 1:
        if name == "positive":
            pytest.skip("NumPy has none of truths; tracing uses it for copies")
        np.testing.assert_array_equal(
            in_onnx(lambda a: function(a["x"]), {"x": TRUTHS}), function(TRUTHS)
        )
        return
    y = in_onnx(lambda a: function(a["x"], a["y"]), {"x": TRUTHS, "y": OTHERS})
    np.testing.assert_array_equal(y, function(TRUTHS, OTHERS))


def written(a: Mapping[str, Any], index: Any, value: Any) -> Any:
    """A copy of x with a value at an index."""
    y = a["x"].copy()
    y[index] = value
    return y


CUBE: Final = np.arange(60.0).reshape(5, 4, 3)
ROWS: Final = np.array([2, 0, 1])

FUNCTIONS: Final[dict[str, Function]] = {
    "sum": lambda a: a["x"].sum(axis=1),
    "sum of two axes": lambda a: a["x"].sum(axis=(1, 2), keepdims=True),
    "mean": lambda a: a["x"].mean(axis=-1, keepdims=True),
    "prod": lambda a: np.prod(a["x"] / 30.0, axis=1),
    "max and min": lambda a: a["x"].max(axis=2) - a["x"].min(axis=2),
    "any and all": lambda a: (
        np.where(np.any(a["x"] > 7, axis=1), 1.0, 0.0) + np.all(a["x"] > 7, axis=1)
    ),
    "argmax": lambda a: np.argmax(-((a["x"] - 20.0) ** 2), axis=1),
    "argsort": lambda a: np.argsort(np.sin(a["x"]), axis=2),
    "cumsum": lambda a: np.cumsum(a["x"], axis=1),
    "where": lambda a: np.where(a["x"] > 20, a["x"], 0.5),
    "where of truths": lambda a: 1.0 * np.where(a["x"][:, :1] > 20, a["x"] > 7, a["x"] < 30),
    "matmul": lambda a: a["x"] @ np.linspace(-1, 1, 6).reshape(3, 2),
    "einsum": lambda a: np.einsum("nij,jk->nik", a["x"], np.ones((3, 2))),
    "reshape": lambda a: a["x"].reshape(len(a["x"]), -1),
    "transpose": lambda a: np.swapaxes(a["x"], 1, 2),
    "broadcast": lambda a: np.broadcast_to(a["x"][:, :1], (len(a["x"]), 4, 3)) + 1.0,
    "concatenate": lambda a: np.concatenate([a["x"], 2.0 * a["x"]], axis=1),
    "stack": lambda a: np.stack([a["x"], a["x"]], axis=1),
    "zeros of the rows": lambda a: np.concatenate(
        [a["x"][:, 0], np.zeros((len(a["x"]), 2))], axis=1
    ),
    "range of the rows": lambda a: a["x"][:, 0, 0] + np.arange(len(a["x"])),
    "slices": lambda a: a["x"][:, 1:3, ::-1],
    "backwards in part": lambda a: a["x"][:, 3:0:-2],
    "number": lambda a: a["x"][:, -1],
    "numbers": lambda a: a["x"][:, 2, 1],
    "new axes": lambda a: a["x"][:, None, 1:, 0, None],
    "ellipsis": lambda a: a["x"][..., -2],
    "rows without the last": lambda a: a["x"][:-1],
    "gather": lambda a: a["x"][:, ROWS],
    "gather of the last": lambda a: a["x"][..., ROWS, None],
    "gather of two": lambda a: a["x"][:, ROWS, ROWS],
    "gather of two apart": lambda a: a["x"].transpose(1, 0, 2)[ROWS, :, ROWS],
    "gather with a number": lambda a: a["x"][:, 1, ROWS],
    "take along": lambda a: np.take_along_axis(a["x"], np.argsort(-a["x"], axis=2), axis=2),
    "table": lambda a: a["w"][np.argmax(np.sin(a["x"][:, :, 0]), axis=1)],
    "write a block": lambda a: written(a, (slice(None), slice(1, 3)), 0.25),
    "write a corner": lambda a: written(
        a, (slice(None), slice(2, None), slice(0, -1)), a["x"][:, :2, 1:]
    ),
    "write a column": lambda a: written(a, (..., -1), a["x"][..., 0]),
    "write a place": lambda a: written(a, (slice(None), 1, 2), 5.0),
    "write all": lambda a: written(a, ..., 3.0),
    "write where": lambda a: written(a, a["x"] > 20, 0.0),
    "write rows": lambda a: written(a, ROWS, -1.0),
    "bools as numbers": lambda a: a["x"] * (a["x"] > 3),
    "integers as numbers": lambda a: (
        a["x"] / np.argsort(a["x"] + 1, axis=1).max(axis=1, keepdims=True)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_arrays(name: str) -> None:
    function, arrays = FUNCTIONS[name], {"x": CUBE, "w": np.arange(12.0).reshape(4, 3)}
    with np.errstate(divide="ignore"):
        wanted = function(arrays)
    np.testing.assert_allclose(in_onnx(function, arrays), wanted, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", registry.names(Activation))
def test_every_activation(name: str) -> None:
    activation = registry.load(Activation, name)()
    x = np.linspace(-4.0, 4.0, 30).reshape(5, 6)
    y = in_onnx(lambda a: activation.forward(a["x"])[0], {"x": x})
    np.testing.assert_allclose(y, activation.forward(x)[0], atol=2e-6)


def test_what_onnx_has_not_is_told_with_its_line() -> None:
    with pytest.raises(
        TraceError, match=r"test_onnx_operators\.py:\d+: .* has no counterpart in ONNX"
    ):
        in_onnx(
            lambda a: written(a, (slice(None), slice(0, 4, 2)), 0.0),
            {"x": CUBE},
        )
