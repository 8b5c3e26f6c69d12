"""Every operation of a graph: how NumPy computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import numpy as np

POINTWISE: Final[dict[str, np.ufunc]] = {
    f.__name__: f
    for f in (
        *(np.negative, np.positive, np.absolute, np.sign, np.reciprocal, np.square, np.sqrt),
        *(np.cbrt, np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p),
        *(np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan),
        *(np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh),
        *(np.floor, np.ceil, np.rint, np.trunc, np.isnan, np.isinf, np.isfinite, np.signbit),
        *(np.add, np.subtract, np.multiply, np.divide, np.power, np.float_power, np.maximum),
        *(np.minimum, np.fmax, np.fmin, np.logaddexp, np.hypot, np.arctan2, np.copysign),
        *(np.floor_divide, np.remainder, np.fmod, np.heaviside),
        *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
        *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not),
        *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert),
    )
}
"""ufuncs by name, the elements of whose results depend on the elements in the same place."""


@attrs.frozen
class Operand:
    """In an index: the array that is this input of the operation."""

    input: int


def index_of(template: Any, inputs: Sequence[Any]) -> Any:
    """An index with the arrays in their places."""
    if isinstance(template, Operand):
        return inputs[template.input]
    return tuple(inputs[part.input] if isinstance(part, Operand) else part for part in template)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), as `rnnkit.numerics` computes it."""
    y = np.negative(x)
    np.exp(y, out=y)
    y += 1.0
    return np.reciprocal(y, out=y)


def getitem(x: Any, *inputs: Any, index: Any) -> Any:
    """x[index]."""
    return x[index_of(index, (x, *inputs))]


def setitem(x: Any, value: Any, *inputs: Any, index: Any) -> Any:
    """A copy of x in which x[index] is value."""
    y = x.copy(order="K")
    y[index_of(index, (x, value, *inputs))] = value
    return y


def add_at(x: Any, value: Any, *inputs: Any, index: Any) -> Any:
    """A copy of x with value added at the index, as often as a place comes in it."""
    y = x.copy(order="K")
    np.add.at(y, index_of(index, (x, value, *inputs)), value)
    return y


def full(value: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array of one number."""
    return np.full(shape, value, dtype)


COMPUTED: Final[dict[str, Callable[..., Any]]] = {
    **POINTWISE,
    "sigmoid": sigmoid,
    "real": np.real,
    "where": np.where,
    "astype": lambda x, *, dtype: np.asarray(x).astype(dtype),
    "sum": np.add.reduce,
    "mean": np.mean,
    "prod": np.multiply.reduce,
    "amax": np.maximum.reduce,
    "amin": np.minimum.reduce,
    "any": np.logical_or.reduce,
    "all": np.logical_and.reduce,
    "cumsum": np.cumsum,
    "argmax": np.argmax,
    "argmin": np.argmin,
    "argsort": lambda x, *, axis, kind: np.argsort(x, axis=axis, kind=kind),
    "flatnonzero": np.flatnonzero,
    "matmul": np.matmul,
    "einsum": lambda *inputs, subscripts: np.einsum(subscripts, *inputs),
    "reshape": lambda x, *, shape: x.reshape(shape),
    "transpose": lambda x, *, axes: x.transpose(axes),
    "broadcast_to": lambda x, *, shape: np.broadcast_to(x, shape),
    "concatenate": lambda *inputs, axis: np.concatenate(inputs, axis=axis),
    "getitem": getitem,
    "setitem": setitem,
    "add_at": add_at,
    "full": full,
    "arange": lambda *, start, stop, step: np.arange(start, stop, step),
}
"""Operation -> what computes it from its inputs and, by name, its attributes."""
