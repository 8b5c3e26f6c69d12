"""A graph of ONNX under construction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET: Final = 18
"""The version of the standard operators; ONNX Runtime has it since 1.14, of February 2023."""

IR_VERSION: Final = 8
"""The version of the file's form that came with these operators."""

TYPES: Final[Mapping[str, int]] = {
    "f": TensorProto.FLOAT,
    "i": TensorProto.INT64,
    "b": TensorProto.BOOL,
    "d": TensorProto.DOUBLE,
    "u": TensorProto.UINT8,
}
"""Kinds of numbers, by a letter: float32, int64, bool, float64, uint8."""

_NUMPY: Final[Mapping[str, type[np.generic]]] = {
    "f": np.float32,
    "i": np.int64,
    "b": np.bool_,
    "d": np.float64,
    "u": np.uint8,
}

LAST: Final = np.iinfo(np.int64).max
FIRST: Final = np.iinfo(np.int64).min


class Scope:
    """The nodes of a graph, or of the body of a loop in it, which sees all names of the graph.

    Attributes:
        nodes: so far, in order.
        values: the constants of the whole graph, by name.
    """

    def __init__(self, around: Scope | None = None) -> None:
        self.nodes: list[NodeProto] = []
        self.values: dict[str, TensorProto] = {} if around is None else around.values
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = (
            {} if around is None else around._known
        )
        self._count: list[int] = [0] if around is None else around._count

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The output of a new node."""
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """The outputs of a new node that has several."""
        names = [self.name(kind.lower()) for _ in range(outputs)]
        made = helper.make_node(kind, list(inputs), names)
        made.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(made)
        return names

    def name(self, begin: str) -> str:
        """A name that nothing else has."""
        self._count[0] += 1
        return f"{begin}_{self._count[0]}"

    def const(self, value: npt.ArrayLike, kind: str | None = None) -> str:
        """A constant, as many times as it is wanted there once.

        Args:
            value: the number, or the numbers.
            kind: a key of `TYPES`; that of the value if left open, float32 for any floating one.
        """
        array = np.asarray(value)
        array = np.asarray(array, _NUMPY[kind or kind_of(array.dtype)], order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self.name("constant")
            self.weight(self._known[key], array)
        return self._known[key]

    def weight(self, name: str, array: npt.NDArray[Any]) -> str:
        """A constant of a name of its own."""
        if name not in self.values:
            self.values[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def cast(self, x: str, before: str, after: str) -> str:
        """Numbers of one kind as those of another."""
        return x if before == after else self.op("Cast", x, to=TYPES[after])

    def call(self, name: str, x: str) -> str:
        """x under a name that is given."""
        self.nodes.append(helper.make_node("Identity", [x], [name]))
        return name

    def graph(
        self,
        name: str,
        inputs: Sequence[ValueInfoProto],
        outputs: Sequence[ValueInfoProto],
        *,
        whole: bool = True,
    ) -> GraphProto:
        """The graph; `whole` with the constants, which the body of a loop finds around it."""
        used = set(_names(self.nodes)) if whole else set()
        values = [value for name, value in self.values.items() if name in used]
        return helper.make_graph(self.nodes, name, list(inputs), list(outputs), values)


def _names(nodes: Iterable[NodeProto]) -> Iterator[str]:
    """What nodes take, those in their bodies too."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            yield from _names(attribute.g.node)


def kind_of(dtype: np.dtype[Any]) -> str:
    """The kind of number that stands for a type of NumPy's: all that floats is float32."""
    return "i" if dtype.kind == "u" else dtype.kind


def port(name: str, kind: str, shape: Sequence[int | str | None] | None) -> ValueInfoProto:
    """An input or an output; sizes may be names, and a shape None where it changes."""
    return helper.make_tensor_value_info(name, TYPES[kind], shape)
