"""How operations are written in Python, with as few brackets as it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.tracing.graph import Node
from rnnkit.tracing.operations import POINTWISE, Operand
from rnnkit.tracing.options import ATOM, PRODUCT, SIGN, SUM, Option
from rnnkit.tracing.sizes import Power, Size

COMPARED, OR, XOR, AND, POWER = 1, 2, 3, 4, SIGN + 1
"""How tightly the other operators bind."""

INFIX: Final = {
    "add": ("+", SUM),
    "subtract": ("-", SUM),
    "multiply": ("*", PRODUCT),
    "divide": ("/", PRODUCT),
    "floor_divide": ("//", PRODUCT),
    "remainder": ("%", PRODUCT),
    "matmul": ("@", PRODUCT),
    "power": ("**", POWER),
    "bitwise_and": ("&", AND),
    "bitwise_or": ("|", OR),
    "bitwise_xor": ("^", XOR),
    "equal": ("==", COMPARED),
    "not_equal": ("!=", COMPARED),
    "less": ("<", COMPARED),
    "less_equal": ("<=", COMPARED),
    "greater": (">", COMPARED),
    "greater_equal": (">=", COMPARED),
}

FOLDED: Final = {"amax": "max", "amin": "min", "sum": "sum", "mean": "mean", "prod": "prod"}


@attrs.frozen
class Text:
    """An expression, and how tightly its outermost operator binds."""

    text: str
    binds: int = ATOM

    def within(self, binds: int) -> str:
        """It as a part of an operator's expression that binds this tightly."""
        return self.text if self.binds >= binds else f"({self.text})"


@attrs.frozen
class Words:
    """What lengths and types are called where an expression stands.

    Attributes:
        letters: letter -> expression of its number.
        dtype: expression of the floating type.
    """

    letters: Mapping[str, str]
    dtype: str

    def length(self, n: Any) -> Text:
        """A length, or a number that depends on one."""
        if isinstance(n, Size):
            parts = [self._times(letter, factor) for letter, factor in n.terms]
            said = " + ".join(p.text for p in parts)
            if n.constant:
                said += f" {'+' if n.constant > 0 else '-'} {abs(n.constant)}"
            return Text(said, SUM) if len(parts) > 1 or n.constant else parts[0]
        if isinstance(n, Power):
            factors = [] if n.factor == 1.0 else [repr(n.factor)]
            factors += [
                f"math.sqrt({self.letters[letter]})" if e == 0.5 else f"{self.letters[letter]}**{e}"
                for letter, e in n.terms
            ]
            return Text(" * ".join(factors), PRODUCT if len(factors) > 1 else POWER)
        return Text(repr(n), SIGN if isinstance(n, int | float) and n < 0 else ATOM)

    def _times(self, letter: str, factor: int | Fraction) -> Text:
        said = self.letters[letter]
        if factor != 1:
            said = said if factor.numerator == 1 else f"{factor.numerator} * {said}"
            said += f" // {factor.denominator}" * (factor.denominator > 1)
        return Text(said, ATOM if factor == 1 else PRODUCT)

    def shape(self, shape: Sequence[Any]) -> str:
        """Lengths between commas, as arguments."""
        return ", ".join(self.length(n).text for n in shape)

    def tuple(self, shape: Sequence[Any]) -> str:
        """A tuple of lengths."""
        return f"({self.shape(shape)}{',' * (len(shape) == 1)})"

    def type(self, dtype: np.dtype[Any]) -> str:
        """A type of numbers."""
        if dtype.kind == "f":
            return self.dtype if dtype == np.float64 else f"np.{dtype.name}"
        return {"b": "bool", "i": "int"}.get(dtype.kind, f"np.{dtype.name}")


def index_text(words: Words, template: Sequence[Any], inputs: Sequence[Text]) -> str:
    """What stands between the brackets of an index."""
    parts = []
    for part in template:
        if isinstance(part, Operand):
            parts.append(inputs[part.input].text)
        elif isinstance(part, slice):
            parts.append(_slice(words, part))
        else:
            parts.append("None" if part is None else words.length(part).text)
    if len(parts) > 1 and all(part == ":" for part in parts[:-1]):
        return f"..., {parts[-1]}"
    while len(parts) > 1 and parts[-1] == ":":
        parts.pop()
    return ", ".join(parts)


def _slice(words: Words, part: slice) -> str:
    start = "" if part.start in (None, 0) else words.length(part.start).text
    stop = "" if part.stop is None else words.length(part.stop).text
    wide = " " in start or " " in stop
    said = f"{start}{' ' * bool(wide and start)}:{' ' * bool(wide and stop)}{stop}"
    return said if part.step is None else f"{said}:{part.step}"


def written(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    """A node as an expression of its inputs."""
    if node.op in INFIX:
        return _infix(node.op, *inputs)
    if node.op in _OTHERS:
        return _OTHERS[node.op](node, inputs, words)
    if node.op in FOLDED:
        return _folded(FOLDED[node.op], node, inputs)
    if node.op in POINTWISE:
        return Text(f"np.{node.op}({', '.join(i.text for i in inputs)})")
    raise NotImplementedError(node.op)


def _infix(op: str, left: Text, right: Text) -> Text:
    sign, binds = INFIX[op]
    if op == "power":
        return Text(f"{left.within(ATOM)}**{right.within(ATOM)}", binds)
    if op == "matmul":
        return Text(f"{left.within(SIGN)} {sign} {right.within(SIGN)}", binds)
    return Text(f"{left.within(binds)} {sign} {right.within(binds + 1)}", binds)


def _negative(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    (x,) = inputs
    return Text(f"-{x.within(PRODUCT)}", min(x.binds, SIGN) if x.binds >= PRODUCT else SIGN)


def _folded(method: str, node: Node, inputs: Sequence[Text]) -> Text:
    (x,) = inputs
    ndim = len(node.inputs[0].shape)
    axis = node.attributes["axis"]
    said = _axis(axis, ndim)
    every = isinstance(axis, tuple) and len(axis) == ndim
    arguments = [] if every else [f"axis={said}"]
    arguments += ["keepdims=True"] * node.attributes["keepdims"]
    return Text(f"{x.within(ATOM)}.{method}({', '.join(arguments)})")


def _axis(axis: Any, ndim: int) -> str:
    if isinstance(axis, tuple):
        return f"({', '.join(_axis(a, ndim) for a in axis)}{',' * (len(axis) == 1)})"
    return "-1" if axis == ndim - 1 > 0 else str(axis)


def _call(name: str) -> Callable[..., Text]:
    return lambda node, inputs, words: Text(f"{name}({', '.join(i.text for i in inputs)})")


def _getitem(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    index = index_text(words, node.attributes["index"], inputs)
    return Text(f"{inputs[0].within(ATOM)}[{index}]")


def _transpose(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    axes, x = node.attributes["axes"], inputs[0].within(ATOM)
    if axes == tuple(reversed(range(len(axes)))):
        return Text(f"{x}.T")
    moved = [i for i, a in enumerate(axes) if i != a]
    if len(moved) == 2:
        return Text(f"{x}.swapaxes({moved[0]}, {moved[1]})")
    return Text(f"{x}.transpose({', '.join(map(str, axes))})")


def _reshape(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    return Text(f"{inputs[0].within(ATOM)}.reshape({words.shape(_one_open(node.shape))})")


def _one_open(shape: Sequence[Any]) -> Sequence[Any]:
    """A shape whose only open length is -1, which needs no name."""
    many = [i for i, n in enumerate(shape) if isinstance(n, Size)]
    return [-1 if [i] == many else n for i, n in enumerate(shape)]


def _concatenate(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    axis = _axis(node.attributes["axis"], len(node.shape))
    if all(_is_new(x, node.attributes["axis"]) for x in node.inputs):
        stacked = ", ".join(i.text.removesuffix("[None]") for i in inputs)
        if node.attributes["axis"] == 0 and all(i.text.endswith("[None]") for i in inputs):
            return Text(f"np.stack(({stacked}))")
    return Text(f"np.concatenate(({', '.join(i.text for i in inputs)}), axis={axis})")


def _is_new(x: Node, axis: int) -> bool:
    """Whether an axis is new in it."""
    return x.op == "getitem" and x.attributes["index"][axis] is None


def _full(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    shape, dtype = words.tuple(node.shape), words.type(node.attributes["dtype"])
    value = node.inputs[0].attributes["value"]
    if value in (0, 1) and not isinstance(value, Option):
        return Text(f"np.{'ones' if value else 'zeros'}({shape}, {dtype})")
    return Text(f"np.full({shape}, {inputs[0].text}, {dtype})")


def _astype(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    return Text(f"{inputs[0].within(ATOM)}.astype({words.type(node.attributes['dtype'])})")


def _along(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    """A method of the operation's name, along one axis."""
    return Text(f"{inputs[0].within(ATOM)}.{node.op}(axis={node.attributes['axis']})")


def _constant(node: Node, inputs: Sequence[Text], words: Words) -> Text:
    value = node.attributes["value"]
    if isinstance(value, Option):
        return Text(value.text, value.binds)
    if isinstance(value, np.ndarray | np.generic):
        listed = np.array2string(np.asarray(value), separator=", ", threshold=10**6).replace(
            "\n", ""
        )
        return Text(f"np.array({listed}, {words.type(value.dtype)})")
    return words.length(value)


_OTHERS: Final[dict[str, Callable[[Node, Sequence[Text], Words], Text]]] = {
    "negative": _negative,
    "sigmoid": _call("sigmoid"),
    "square": lambda node, inputs, words: Text(f"{inputs[0].within(ATOM)}**2", POWER),
    "where": _call("np.where"),
    "flatnonzero": _call("np.flatnonzero"),
    "invert": lambda node, inputs, words: Text(f"~{inputs[0].within(SIGN)}", SIGN),
    "getitem": _getitem,
    "real": lambda node, inputs, words: Text(f"{inputs[0].within(ATOM)}.real"),
    "transpose": _transpose,
    "reshape": _reshape,
    "concatenate": _concatenate,
    "full": _full,
    "astype": _astype,
    "constant": _constant,
    "positive": lambda node, inputs, words: inputs[0],
    "any": lambda node, inputs, words: _folded("any", node, inputs),
    "all": lambda node, inputs, words: _folded("all", node, inputs),
    "cumsum": _along,
    "argmax": _along,
    "argmin": _along,
    "argsort": lambda node, inputs, words: Text(
        f"np.argsort({inputs[0].text}, axis={node.attributes['axis']}, kind={node.attributes['kind']!r})"
    ),
    "arange": lambda node, inputs, words: Text(
        f"np.arange({words.length(node.attributes['stop']).text})"
    ),
    "broadcast_to": lambda node, inputs, words: Text(
        f"np.broadcast_to({inputs[0].text}, {words.tuple(node.shape)})"
    ),
    "einsum": lambda node, inputs, words: Text(
        f"np.einsum({node.attributes['subscripts']!r}, {', '.join(i.text for i in inputs)})"
    ),
}
