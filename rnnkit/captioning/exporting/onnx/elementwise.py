"""NumPy's elementwise functions, in ONNX's standard operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeAlias

from rnnkit.captioning.exporting.onnx.scope import Scope

Operator: TypeAlias = Callable[..., str]
"""(scope, names of the inputs..) -> name of the output."""


def direct(kind: str, **attributes: object) -> Operator:
    """One operator of the same meaning."""
    return lambda s, *x: s.op(kind, *x, **attributes)


def negated(operator: Operator) -> Operator:
    """The opposite."""
    return lambda s, *x: s.op("Not", operator(s, *x))


def log1p(s: Scope, x: str) -> str:
    return s.op("Log", s.op("Add", x, s.const(1.0)))


def expm1(s: Scope, x: str) -> str:
    return s.op("Sub", s.op("Exp", x), s.const(1.0))


def logarithm(base: float) -> Operator:
    return lambda s, x: s.op("Div", s.op("Log", x), s.const(math.log(base)))


def cbrt(s: Scope, x: str) -> str:
    return s.op("Mul", s.op("Sign", x), s.op("Pow", s.op("Abs", x), s.const(1.0 / 3.0)))


def trunc(s: Scope, x: str) -> str:
    return s.op("Mul", s.op("Sign", x), s.op("Floor", s.op("Abs", x)))


def isfinite(s: Scope, x: str) -> str:
    return s.op("Not", s.op("Or", s.op("IsNaN", x), s.op("IsInf", x)))


def signbit(s: Scope, x: str) -> str:
    return s.op("Less", x, s.const(0.0))


def hypot(s: Scope, x: str, y: str) -> str:
    return s.op("Sqrt", s.op("Add", s.op("Mul", x, x), s.op("Mul", y, y)))


def logaddexp(s: Scope, x: str, y: str) -> str:
    away = s.op("Neg", s.op("Abs", s.op("Sub", x, y)))
    return s.op("Add", s.op("Max", x, y), log1p(s, s.op("Exp", away)))


def copysign(s: Scope, x: str, y: str) -> str:
    size = s.op("Abs", x)
    return s.op("Where", signbit(s, y), s.op("Neg", size), size)


def heaviside(s: Scope, x: str, at_zero: str) -> str:
    above = s.op("Where", s.op("Greater", x, s.const(0.0)), s.const(1.0), s.const(0.0))
    return s.op("Where", s.op("Equal", x, s.const(0.0)), at_zero, above)


def arctan2(s: Scope, y: str, x: str) -> str:
    zero, pi = s.const(0.0), s.const(math.pi)
    half = s.op("Mul", s.op("Sign", y), s.const(math.pi / 2))
    turned = s.op(
        "Add", s.op("Atan", s.op("Div", y, x)), s.op("Where", signbit(s, y), s.op("Neg", pi), pi)
    )
    right = s.op("Where", s.op("Greater", x, zero), s.op("Atan", s.op("Div", y, x)), half)
    return s.op("Where", signbit(s, x), turned, right)


def floor_divide(s: Scope, x: str, y: str) -> str:
    return s.op("Floor", s.op("Div", x, y))


def remainder(s: Scope, x: str, y: str) -> str:
    return s.op("Sub", x, s.op("Mul", floor_divide(s, x, y), y))


FLOATS: Final[dict[str, Operator]] = {
    "negative": direct("Neg"),
    "positive": direct("Identity"),
    "absolute": direct("Abs"),
    "sign": direct("Sign"),
    "reciprocal": direct("Reciprocal"),
    "square": lambda s, x: s.op("Mul", x, x),
    "sqrt": direct("Sqrt"),
    "cbrt": cbrt,
    "exp": direct("Exp"),
    "exp2": lambda s, x: s.op("Pow", s.const(2.0), x),
    "expm1": expm1,
    "log": direct("Log"),
    "log2": logarithm(2.0),
    "log10": logarithm(10.0),
    "log1p": log1p,
    "sin": direct("Sin"),
    "cos": direct("Cos"),
    "tan": direct("Tan"),
    "arcsin": direct("Asin"),
    "arccos": direct("Acos"),
    "arctan": direct("Atan"),
    "sinh": direct("Sinh"),
    "cosh": direct("Cosh"),
    "tanh": direct("Tanh"),
    "arcsinh": direct("Asinh"),
    "arccosh": direct("Acosh"),
    "arctanh": direct("Atanh"),
    "sigmoid": direct("Sigmoid"),
    "floor": direct("Floor"),
    "ceil": direct("Ceil"),
    "rint": direct("Round"),
    "trunc": trunc,
    "add": direct("Add"),
    "subtract": direct("Sub"),
    "multiply": direct("Mul"),
    "divide": direct("Div"),
    "power": direct("Pow"),
    "float_power": direct("Pow"),
    "maximum": direct("Max"),
    "minimum": direct("Min"),
    "fmax": direct("Max"),
    "fmin": direct("Min"),
    "logaddexp": logaddexp,
    "hypot": hypot,
    "arctan2": arctan2,
    "copysign": copysign,
    "floor_divide": floor_divide,
    "remainder": remainder,
    "fmod": direct("Mod", fmod=1),
    "heaviside": heaviside,
}
"""Functions of floating-point numbers."""

INTEGERS: Final[dict[str, Operator]] = {
    "negative": direct("Neg"),
    "positive": direct("Identity"),
    "absolute": direct("Abs"),
    "sign": direct("Sign"),
    "square": lambda s, x: s.op("Mul", x, x),
    "add": direct("Add"),
    "subtract": direct("Sub"),
    "multiply": direct("Mul"),
    "power": direct("Pow"),
    "maximum": direct("Max"),
    "minimum": direct("Min"),
    "remainder": direct("Mod"),
    "floor_divide": lambda s, x, y: s.op("Div", s.op("Sub", x, s.op("Mod", x, y)), y),
}
"""Functions of whole numbers whose results are whole."""

TESTS: Final[dict[str, Operator]] = {
    "isnan": direct("IsNaN"),
    "isinf": direct("IsInf"),
    "isfinite": isfinite,
    "signbit": signbit,
}
"""Of floating-point numbers, true or false."""

COMPARISONS: Final[dict[str, Operator]] = {
    "equal": direct("Equal"),
    "not_equal": negated(direct("Equal")),
    "less": direct("Less"),
    "less_equal": direct("LessOrEqual"),
    "greater": direct("Greater"),
    "greater_equal": direct("GreaterOrEqual"),
}
"""Of two numbers of one kind, true or false."""

LOGIC: Final[dict[str, Operator]] = {
    "logical_and": direct("And"),
    "logical_or": direct("Or"),
    "logical_xor": direct("Xor"),
    "logical_not": direct("Not"),
    "bitwise_and": direct("And"),
    "bitwise_or": direct("Or"),
    "bitwise_xor": direct("Xor"),
    "invert": direct("Not"),
    "multiply": direct("And"),
    "add": direct("Or"),
    "maximum": direct("Or"),
    "minimum": direct("And"),
    "positive": direct("Identity"),
}
"""Of true and false."""
