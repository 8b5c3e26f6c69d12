"""Keeps what stand-ins are told: each operation with its result, its place in the source and the author's names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, Generic, TypeVar

import attrs
import numpy as np

from rnnkit.errors import TraceError
from rnnkit.tracing.graph import WORKING, compute
from rnnkit.tracing.operations import Operand
from rnnkit.tracing.options import Option

HERE: Final = str(Path(__file__).parent)
OURS: Final = str(Path(__file__).parents[1])
KINDS: Final = str(Path(__file__).parents[1] / "kinds")
NUMPY: Final = str(Path(np.__file__).parent)


@attrs.define
class Record:
    """One operation as it was seen once: like a `Node`, with plain lengths and numbers for inputs."""

    op: str
    inputs: tuple[int, ...]
    attributes: dict[str, Any]
    value: Any
    place: str = ""
    name: str = ""
    depth: int = sys.maxsize


class Handle:
    """What a function holds in place of an array: the number of the node that it is now."""

    recorder: Recorder[Any]

    @property
    def node(self) -> int:
        """The number of the node."""
        raise NotImplementedError

    def call(self, name: str, depth: int) -> None:
        """Take note of a variable that holds it, of the function at this depth."""
        raise NotImplementedError


H = TypeVar("H", bound=Handle)


class Recorder(Generic[H]):
    """What happens to the stand-ins of one run of a function.

    Args:
        standin: makes what stands for the array of a node.
        functions: what stand-ins do for NumPy's functions.

    Attributes:
        nodes: every operation, each after its inputs.
        scopes: of each function that returned, by its code: the line, and the expressions that could be written there
            with their nodes.
    """

    def __init__(
        self,
        standin: Callable[[Any, int], H],
        functions: Mapping[Any, Callable[..., Any]],
    ) -> None:
        self._standin, self.functions = standin, functions
        self.nodes: list[Record] = []
        self.scopes: dict[CodeType, tuple[int, dict[str, int]]] = {}
        self._root: FrameType | None = None

    # Nodes.

    def input(self, name: str, value: Any) -> H:
        """A stand-in for an array that the function is given."""
        return self._standin(
            self, self._append("input", (), {"name": name}, value, name=name, depth=0)
        )

    def random(
        self, method: str, arguments: Sequence[Any], keywords: dict[str, Any], rng: Any
    ) -> Any:
        """A stand-in for random numbers."""
        given = {
            "method": method,
            "arguments": tuple(arguments),
            "keywords": tuple(sorted(keywords.items())),
        }
        return self._standin(
            self, self._append("random", (), given, compute("random", given, (), {}, rng=rng))
        )

    def emit(self, op: str, inputs: Sequence[Any], **attributes: Any) -> H:
        """A stand-in for the result of an operation on stand-ins, arrays and numbers."""
        return self._standin(self, self.add(op, [self.node_of(x) for x in inputs], **attributes))

    def add(self, op: str, inputs: Sequence[int], **attributes: Any) -> int:
        """The number of the node of an operation on nodes."""
        values = [self.nodes[n].value for n in inputs]
        frames = list(self._frames())
        for frame, depth in frames:
            self._take_names(frame, depth)
        value = compute(op, attributes, values, {})
        return self._append(op, tuple(inputs), attributes, value, place=_place(frames))

    def node_of(self, x: Any) -> int:
        """The number of the node of a stand-in, an array or a number."""
        if isinstance(x, Handle):
            if x.recorder is not self:
                raise self.refused("it uses an array of an earlier call, which it must not keep")
            return x.node
        if isinstance(x, list | tuple) and any(isinstance(item, Handle) for item in x):
            stacked: Any = np.stack(x)
            return int(stacked.node)
        place = _place(list(self._frames()))
        if type(x) in (bool, int, float, Option):
            return self._append("constant", (), {"value": x}, x, place=place)
        if isinstance(x, np.generic | np.ndarray | list | tuple):
            value = np.array(x)
            return self._append("constant", (), {"value": value}, value, place=place)
        raise self.refused(
            f"it computes with a {type(x).__name__}, which is no array and no number"
        )

    def name(self, node: int, depth: int, name: str) -> None:
        """Take note that a variable holds a node; that of the outermost function counts."""
        record = self.nodes[node]
        if depth < record.depth:
            record.name, record.depth = name, depth

    def index(
        self, index: Any, shape: tuple[int, ...], first: int
    ) -> tuple[tuple[Any, ...], list[Any]]:
        """An index with a part for every axis and an `Operand` for each array in it; and the arrays.

        Args:
            index: as it was written.
            shape: of what it is an index of.
            first: the number of the first array among the inputs of the operation.
        """
        parts = list(index) if isinstance(index, tuple) else [index]
        taken = sum(_axes_taken(part) for part in parts)
        whole = [slice(None)] * (len(shape) - taken)
        if not any(part is Ellipsis for part in parts):
            parts.append(Ellipsis)
        place = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[place : place + 1] = whole
        template: list[Any] = []
        arrays: list[Any] = []
        axis = 0
        for part in parts:
            if part is None:
                template.append(part)
            elif isinstance(part, slice):
                template.append(_slice(part, shape[axis]))
            elif isinstance(part, int | np.integer) and not isinstance(part, bool):
                template.append(int(part) % max(shape[axis], 1))
            else:
                template.append(Operand(first + len(arrays)))
                arrays.append(part)
            axis += _axes_taken(part)
        return tuple(template), arrays

    def _append(
        self,
        op: str,
        inputs: tuple[int, ...],
        attributes: dict[str, Any],
        value: Any,
        **more: Any,
    ) -> int:
        self.nodes.append(Record(op, inputs, attributes, value, **more))
        return len(self.nodes) - 1

    # Places and names.

    def refused(self, why: str) -> TraceError:
        """The error for something that has no graph, with its place."""
        return TraceError(f"{_place(list(self._frames())) or 'the function'}: {why}")

    def watch(self, root: FrameType) -> None:
        """Take names from the functions that are called from this frame."""
        self._root = root

    def returns(self, frame: FrameType, event: str, _: object) -> None:
        """A profile function: what a function's variables are when it returns."""
        if event != "return" or frame.f_code.co_filename.startswith((HERE, NUMPY)):
            return
        depth = next((d for f, d in self._frames(frame) if f is frame), None)
        if depth is not None:
            self._take_names(frame, depth)
            names = {name: standin.node for name, standin in _standins(frame)}
            self.scopes[frame.f_code] = (frame.f_lineno, names)

    def _frames(self, start: FrameType | None = None) -> Iterator[tuple[FrameType, int]]:
        """The functions that are running, the innermost first, with how deep each is."""
        frame = start or sys._getframe(1)
        found: list[FrameType] = []
        while frame is not None and frame is not self._root:
            if not frame.f_code.co_filename.startswith((HERE, NUMPY)):
                found.append(frame)
            frame = frame.f_back  # type: ignore[assignment]  # None ends it
        if frame is None:
            return
        yield from ((f, len(found) - i) for i, f in enumerate(found))

    def _take_names(self, frame: FrameType, depth: int) -> None:
        code, back = frame.f_code, frame.f_back
        if code.co_filename.startswith(KINDS):
            return
        # What is handed to a function has the name that it has outside.
        inner = back is not None and not back.f_code.co_filename.startswith(KINDS)
        handed = code.co_varnames[: code.co_argcount] if inner else ()
        for name, standin in _standins(frame):
            if name.partition(".")[0] not in handed:
                standin.call(name, depth)


def _axes_taken(part: Any) -> int:
    """How many axes a part of an index is about."""
    if part is None or part is Ellipsis:
        return 0
    mask = getattr(part, "dtype", None) == np.bool_
    return int(part.ndim) if mask else 1


def _slice(part: slice, length: int) -> slice:
    """With ends that are not negative; all of an axis is slice(None)."""
    start, stop, step = part.indices(length)
    if step < 0:
        return part
    if (start, step) == (0, 1) and stop == length and part.stop in (None, length):
        return slice(None)
    return slice(start, max(start, stop), None if step == 1 else step)


def _standins(frame: FrameType) -> Iterator[tuple[str, Handle]]:
    """The stand-ins that a function's variables hold, in attrs objects and sequences too, by expression."""
    held = list(frame.f_locals.items())
    for name, value in held:
        if isinstance(value, Handle):
            yield name, value
    for name, value in held:
        if isinstance(value, list | tuple):
            parts = [(f"{name}[{i}]", item) for i, item in enumerate(value)]
        elif attrs.has(type(value)):
            parts = [
                (f"{name}.{field.name}", getattr(value, field.name, None))
                for field in attrs.fields(type(value))
            ]
        else:
            continue
        yield from ((part, item) for part, item in parts if isinstance(item, Handle))


def _place(frames: Sequence[tuple[FrameType, int]]) -> str:
    """`file:line` of the innermost function that is not rnnkit's own, or else of the innermost."""
    for frame, _ in frames:
        if not frame.f_code.co_filename.startswith(OURS):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    for frame, _ in frames:
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return ""


__all__ = ["WORKING", "Record", "Recorder"]
