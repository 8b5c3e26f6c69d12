"""The derivative of each operation: from the gradient d of its result y to those of its inputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from rnnkit.tracing.graph import WORKING, Node
from rnnkit.tracing.operations import POINTWISE, Operand
from rnnkit.tracing.sizes import Size
from rnnkit.tracing.terms import Term

Rule = Callable[..., tuple[Any, ...]]


def _either(first: Term, d: Term) -> tuple[Any, ...]:
    """d for the first of two where that is chosen, and for the other one elsewhere."""
    return (first.where(d, 0.0), first.where(0.0, d))


def _power(d: Term, y: Term, x: Term, k: Term) -> tuple[Any, ...]:
    if k.node.weak:
        exponent = k.node.attributes["value"]
        if exponent == 2:
            return (d * (2.0 * x), None)
        return (d * (exponent * x ** (exponent - 1)), None)
    return (d * (k * x ** (k - 1.0)), d * (y * x.of("log")))


def _matmul(d: Term, y: Term, a: Term, b: Term) -> tuple[Any, ...]:
    """Of matrices, stacks of them, and vectors, which are rows in front and columns behind."""
    row, column = len(a.node.shape) == 1, len(b.node.shape) == 1
    if row:
        a, d = _insert(a, 0), _insert(d, len(d.node.shape) - (0 if column else 1))
    if column:
        b, d = _insert(b, 1), _insert(d, len(d.node.shape))
    da, db = d @ _turned(b), _turned(a) @ d
    return (_drop(da, -2) if row else da, _drop(db, -1) if column else db)


def _turned(x: Term) -> Term:
    n = len(x.node.shape)
    return x.of("transpose", axes=(*range(n - 2), n - 1, n - 2))


def _insert(x: Term, axis: int) -> Term:
    index: list[Any] = [slice(None)] * len(x.node.shape)
    index.insert(axis, None)
    return x.of("getitem", index=tuple(index))


def _drop(x: Term, axis: int) -> Term:
    index: list[Any] = [slice(None)] * len(x.node.shape)
    index[axis] = 0
    return x.of("getitem", index=tuple(index))


def _sum(d: Term, y: Term, x: Term) -> tuple[Any, ...]:
    return (_kept(d, y, x),)


def _mean(d: Term, y: Term, x: Term) -> tuple[Any, ...]:
    return (_kept(d, y, x) / count(x.node, y.node.attributes["axis"]),)


def _extreme(d: Term, y: Term, x: Term) -> tuple[Any, ...]:
    here = x.of("equal", _kept(y, y, x))
    ties = here.of("astype", dtype=WORKING).of("sum", axis=y.node.attributes["axis"], keepdims=True)
    return (here.where(_kept(d, y, x) / ties, 0.0),)


def _kept(d: Term, y: Term, x: Term) -> Term:
    """With an axis of length 1 for each that was folded."""
    if y.node.attributes["keepdims"]:
        return d
    index: list[Any] = [slice(None)] * len(x.node.shape)
    for axis in axes(y.node.attributes["axis"]):
        index[axis] = None
    return d.of("getitem", index=tuple(index))


def axes(axis: Any) -> tuple[int, ...]:
    """One axis or several, as several."""
    return axis if isinstance(axis, tuple) else (axis,)


def count(x: Node, axis: Any) -> Any:
    """How many numbers are folded into one; a `Size` where that is not always the same."""
    lengths = [x.shape[a] for a in axes(axis)]
    open_ones = [n for n in lengths if isinstance(n, Size)]
    known = math.prod(n for n in lengths if isinstance(n, int))
    if not open_ones:
        return known
    if len(open_ones) == 1:
        return open_ones[0].times(known)
    raise NotImplementedError("a mean over several axes of open length")


def _cumsum(d: Term, y: Term, x: Term) -> tuple[Any, ...]:
    axis = y.node.attributes["axis"]
    index = tuple(
        slice(None, None, -1) if i == axis else slice(None) for i in range(len(x.node.shape))
    )
    back = d.of("getitem", index=index).of("cumsum", axis=axis)
    return (back.of("getitem", index=index),)


def _reshape(d: Term, y: Term, x: Term) -> tuple[Any, ...]:
    return (d.of("reshape", shape=x.node.shape),)


def _transpose(d: Term, y: Term, x: Term) -> tuple[Any, ...]:
    order = y.node.attributes["axes"]
    return (d.of("transpose", axes=tuple(order.index(i) for i in range(len(order)))),)


def _einsum(d: Term, y: Term, *x: Term) -> tuple[Any, ...]:
    subscripts = y.node.attributes["subscripts"]
    if "->" not in subscripts or "." in subscripts:
        raise NotImplementedError("np.einsum without '->', or with '...'")
    inputs, result = subscripts.split("->")
    letters = inputs.split(",")
    made: list[Any] = []
    for i, own in enumerate(letters):
        others = [(letters[k], x[k]) for k in range(len(x)) if k != i]
        seen = set(result).union(*(set(s) for s, _ in others))
        if not set(own) <= seen or len(set(own)) < len(own):
            raise NotImplementedError(
                f"np.einsum({subscripts!r}), where an operand is summed alone"
            )
        terms = ",".join([result, *(s for s, _ in others)])
        made.append(d.of("einsum", *(t for _, t in others), subscripts=f"{terms}->{own}"))
    return tuple(made)


def _setitem(d: Term, y: Term, x: Term, value: Term, *rest: Term) -> tuple[Any, ...]:
    index = y.node.attributes["index"]
    zeros = d.of("setitem", 0.0, *rest, index=index)
    return (zeros, d.of("getitem", *rest, index=_shifted(index)), *(None for _ in rest))


def _add_at(d: Term, y: Term, x: Term, value: Term, *rest: Term) -> tuple[Any, ...]:
    index = _shifted(y.node.attributes["index"])
    return (d, d.of("getitem", *rest, index=index), *(None for _ in rest))


def _shifted(index: Any) -> Any:
    """An index of a write as one of a reading, which has an input fewer before the arrays of the index."""
    return tuple(Operand(part.input - 1) if isinstance(part, Operand) else part for part in index)


RULES: Final[dict[str, Rule]] = {
    "negative": lambda d, y, x: (-d,),
    "positive": lambda d, y, x: (d,),
    "absolute": lambda d, y, x: (d * x.of("sign"),),
    "reciprocal": lambda d, y, x: (-(d * y.of("square")),),
    "square": lambda d, y, x: (d * (2.0 * x),),
    "sqrt": lambda d, y, x: (0.5 * d / y,),
    "cbrt": lambda d, y, x: (d / (3.0 * y**2),),
    "exp": lambda d, y, x: (d * y,),
    "exp2": lambda d, y, x: (d * (math.log(2.0) * y),),
    "expm1": lambda d, y, x: (d * (1.0 + y),),
    "log": lambda d, y, x: (d / x,),
    "log2": lambda d, y, x: (d / (math.log(2.0) * x),),
    "log10": lambda d, y, x: (d / (math.log(10.0) * x),),
    "log1p": lambda d, y, x: (d / (1.0 + x),),
    "sin": lambda d, y, x: (d * x.of("cos"),),
    "cos": lambda d, y, x: (-(d * x.of("sin")),),
    "tan": lambda d, y, x: (d * (1.0 + y**2),),
    "arcsin": lambda d, y, x: (d / (1.0 - x**2).of("sqrt"),),
    "arccos": lambda d, y, x: (-(d / (1.0 - x**2).of("sqrt")),),
    "arctan": lambda d, y, x: (d / (1.0 + x**2),),
    "sinh": lambda d, y, x: (d * x.of("cosh"),),
    "cosh": lambda d, y, x: (d * x.of("sinh"),),
    "tanh": lambda d, y, x: (d * (1.0 - y.of("square")),),
    "arcsinh": lambda d, y, x: (d / (1.0 + x**2).of("sqrt"),),
    "arccosh": lambda d, y, x: (d / (x**2 - 1.0).of("sqrt"),),
    "arctanh": lambda d, y, x: (d / (1.0 - x**2),),
    "sigmoid": lambda d, y, x: (d * y * (1.0 - y),),
    "astype": lambda d, y, x: (d,),
    "real": lambda d, y, x: (d,),
    "add": lambda d, y, a, b: (d, d),
    "subtract": lambda d, y, a, b: (d, -d),
    "multiply": lambda d, y, a, b: (d * b, d * a),
    "divide": lambda d, y, a, b: (d / b, -(d * y / b)),
    "power": _power,
    "float_power": _power,
    **dict.fromkeys(("maximum", "fmax"), lambda d, y, a, b: _either(a.of("greater", b), d)),
    **dict.fromkeys(("minimum", "fmin"), lambda d, y, a, b: _either(a.of("less", b), d)),
    "logaddexp": lambda d, y, a, b: (d * (a - y).exp(), d * (b - y).exp()),
    "hypot": lambda d, y, a, b: (d * a / y, d * b / y),
    "arctan2": lambda d, y, a, b: (d * b / (a**2 + b**2), -(d * a / (a**2 + b**2))),
    "where": lambda d, y, c, a, b: (None, c.where(d, 0.0), c.where(0.0, d)),
    "sum": _sum,
    "mean": _mean,
    "amax": _extreme,
    "amin": _extreme,
    "cumsum": _cumsum,
    "matmul": _matmul,
    "einsum": _einsum,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": lambda d, y, x: (d,),
    "setitem": _setitem,
    "add_at": _add_at,
}
"""Operation -> (d, y, *inputs) -> a gradient for each input, None for one that has none; shaped like y, or so that it
broadcasts to that, where the operation repeats inputs."""

WHOLE: Final = frozenset(
    (
        "matmul",
        "einsum",
        "reshape",
        "transpose",
        "cumsum",
        "setitem",
        "add_at",
        "getitem",
        "concatenate",
        "broadcast_to",
    )
)
"""Operations whose rule takes d in the whole shape of y, not just one that broadcasts to it."""

ALIKE: Final = frozenset((*POINTWISE, "sigmoid", "astype", "real", "where", "broadcast_to"))
"""Operations that broadcast their inputs to the shape of y."""

FLAT: Final = frozenset(
    [
        "sign",
        "floor",
        "ceil",
        "rint",
        "trunc",
        "isnan",
        "isinf",
        "isfinite",
        "signbit",
        "floor_divide",
        "heaviside",
        "equal",
        "not_equal",
        "less",
        "less_equal",
        "greater",
        "greater_equal",
        "logical_and",
        "logical_or",
        "logical_xor",
        "logical_not",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "invert",
        "any",
        "all",
        "argmax",
        "argmin",
        "argsort",
        "flatnonzero",
        "full",
        "arange",
        "constant",
        "random",
        "input",
    ]
)
"""Operations whose derivative is 0, or that nothing goes into."""
