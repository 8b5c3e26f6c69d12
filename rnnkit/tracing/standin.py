"""Stand-ins for arrays: what is done with them is recorded."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from rnnkit.tracing.operations import POINTWISE
from rnnkit.tracing.recording import Handle, Recorder
from rnnkit.tracing.views import Indexed, Reshaped, Transposed, View

MIXED: Final = (
    "it puts an array that is traced into one that is not (one of np.empty or np.zeros that is then written into, or "
    "np.array, np.asarray): begin with np.zeros_like of an array of the step, or use np.concatenate or np.stack"
)


class StandIn(Handle, NDArrayOperatorsMixin):
    """Stands in for an array, and records in its recorder what is computed from it.

    It is a variable rather than a value: what is written into it changes what it stands for, and a view of another
    stand-in reads and writes that.
    """

    __array_priority__ = 1000
    recorder: Recorder[StandIn]
    __hash__ = None  # type: ignore[assignment]  # as arrays are not hashable

    def __init__(
        self,
        recorder: Recorder[StandIn],
        node: int | None = None,
        base: StandIn | None = None,
        view: View | None = None,
    ) -> None:
        self.recorder = recorder
        self._node = node
        self._base, self._view = base, view
        self._seen = -1
        self.named: tuple[int, str] | None = None

    @property
    def node(self) -> int:
        """The number of the node that it stands for now."""
        if self._base is None:
            assert self._node is not None
            return self._node
        base = self._base.node
        if self._node is None or base != self._seen:
            assert self._view is not None
            self._node, self._seen = self._view.read(self.recorder, base), base
            if self.named:
                self.recorder.name(self._node, *self.named)
        return self._node

    def write(self, node: int) -> None:
        """Let it stand for another node of the same shape, and so whatever it is a view of."""
        if self._base is not None:
            assert self._view is not None
            base = self._base.node
            self._base.write(self._view.written(self.recorder, base, node))
            self._seen = self._base.node
        self._node = node

    def call(self, name: str, depth: int) -> None:
        """Take note of a variable that holds it."""
        if self.named is None or depth < self.named[0]:
            self.named = (depth, name)
        if self._node is not None and (self._base is None or self._base.node == self._seen):
            self.recorder.name(self._node, depth, name)

    @property
    def value(self) -> Any:
        """The array that it stands for, at the sizes of this recording; not to be changed."""
        return self.recorder.nodes[self.node].value

    # What arrays have.

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    itemsize = property(lambda self: self.value.itemsize)
    nbytes = property(lambda self: self.value.nbytes)
    flags = property(lambda self: self.value.flags)
    T = property(lambda self: self.transpose())

    @property
    def real(self) -> StandIn:
        """What it is where the function runs on real numbers; a complex step does not pass through."""
        return self.recorder.emit("real", [self]) if self.dtype.kind == "f" else self

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        if not self.ndim:
            raise self.recorder.refused("it goes through a number as if it were an array")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<stand-in for an array {self.shape}>"

    # What has no graph.

    def _number(self, *args: Any, **kwargs: Any) -> Any:
        raise self.recorder.refused(
            "it makes a plain number of an array (float(), int(), item(), tolist() or round()), and what follows from it "
            "cannot be traced: leave it an array"
        )

    __float__ = __int__ = __index__ = __complex__ = __round__ = _number
    item = tolist = _number

    def __bool__(self) -> bool:
        raise self.recorder.refused(
            "what it does next depends on the numbers in an array (if, while, and, or, not), and only one of its ways "
            "could be traced: write np.where(condition, a, b), and & | ~ for and, or, not"
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise self.recorder.refused(MIXED)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(name)
        method = getattr(np, name, None)
        if callable(method) and method in self.recorder.functions:
            return lambda *args, **kwargs: method(self, *args, **kwargs)
        raise self.recorder.refused(f"it uses .{name} of an array, which rnnkit does not trace")

    # Reading and writing.

    def __getitem__(self, index: Any) -> StandIn:
        template, extra = self.recorder.index(index, self.shape, 1)
        if extra or not isinstance(self.value[index_values(index)], np.ndarray):
            return self.recorder.emit("getitem", [self, *extra], index=template)
        return StandIn(self.recorder, base=self, view=Indexed(template))

    def __setitem__(self, index: Any, value: Any) -> None:
        template, extra = self.recorder.index(index, self.shape, 2)
        made = self.recorder.emit("setitem", [self, value, *extra], index=template)
        self.write(made.node)

    def add_at(self, index: Any, value: Any) -> None:
        """np.add.at."""
        template, extra = self.recorder.index(index, self.shape, 2)
        self.write(self.recorder.emit("add_at", [self, value, *extra], index=template).node)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        where, dtype = kwargs.pop("where", True), kwargs.pop("dtype", None)
        made = self._ufunc(ufunc, method, inputs, kwargs)
        if made is None:
            return None
        if dtype is not None:
            made = made.astype(dtype)
        target = out[0] if out else None
        if where is not True:
            made = np.where(where, made, made if target is None else target)
        if target is None:
            return made
        if not isinstance(target, StandIn):
            raise self.recorder.refused(MIXED)
        target.write(_fitting(made, target).node)
        return target

    def _ufunc(self, ufunc: np.ufunc, method: str, inputs: Any, kwargs: Any) -> Any:
        name = ufunc.__name__
        if method == "__call__" and ufunc is np.matmul and not kwargs:
            return self.recorder.emit("matmul", inputs)
        if method == "__call__" and POINTWISE.get(name) is ufunc and not kwargs:
            return self.recorder.emit(name, inputs)
        if method == "at" and ufunc is np.add and isinstance(inputs[0], StandIn):
            inputs[0].add_at(inputs[1], inputs[2])
            return None
        if method == "reduce" and ufunc in REDUCED and "initial" not in kwargs:
            axis = kwargs.get("axis", inputs[1] if len(inputs) > 1 else 0)
            return REDUCED[ufunc](inputs[0], axis=axis, keepdims=kwargs.get("keepdims", False))
        if method == "accumulate" and ufunc is np.add:
            return np.cumsum(inputs[0], axis=kwargs.get("axis", 0))
        if method == "outer":
            a, b = inputs
            return ufunc(a[(..., *(None,) * np.ndim(b))], b)
        said = "" if method == "__call__" else f".{method}"
        raise self.recorder.refused(f"it uses np.{name}{said}, which rnnkit does not trace")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        traced = self.recorder.functions.get(function)
        if traced is None:
            name = getattr(function, "__name__", str(function))
            module = getattr(function, "__module__", "numpy").replace("numpy", "np")
            raise self.recorder.refused(
                f"it uses {module}.{name}, which rnnkit does not trace: write it with arithmetic, np.where, sums and "
                "products"
            )
        out = kwargs.pop("out", None)
        made = traced(*args, **kwargs)
        if out is None:
            return made
        out.write(_fitting(made, out).node)
        return out

    # Methods that are more than a function of the same name.

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> StandIn:
        return self.recorder.emit("astype", [self], dtype=np.dtype(dtype))

    def copy(self, *args: Any, **kwargs: Any) -> StandIn:
        return StandIn(self.recorder, self.node)

    def view(self, *args: Any, **kwargs: Any) -> StandIn:
        if args or kwargs:
            raise self.recorder.refused("it views an array as another type, which has no graph")
        return StandIn(self.recorder, base=self, view=Indexed((slice(None),) * self.ndim))

    def conj(self) -> StandIn:
        return self

    conjugate = conj

    def fill(self, value: Any) -> None:
        self[...] = value

    def reshape(self, *shape: Any, **kwargs: Any) -> StandIn:
        wanted = shape[0] if len(shape) == 1 else shape
        return self.viewed(Reshaped(_ints(wanted)))

    def transpose(self, *axes: Any) -> StandIn:
        given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = _ints(given) if given else tuple(reversed(range(self.ndim)))
        return self.viewed(Transposed(tuple(axis % self.ndim for axis in order)))

    def viewed(self, view: View) -> StandIn:
        """A view of it, if NumPy makes one, else a new array."""
        if np.shares_memory(view.of(self.value), self.value) or not self.size:
            return StandIn(self.recorder, base=self, view=view)
        return StandIn(self.recorder, view.read(self.recorder, self.node))


def _fitting(made: Any, target: StandIn) -> StandIn:
    """What is written into an array, in its shape and type."""
    recorder = target.recorder
    result: StandIn = made if isinstance(made, StandIn) else recorder.emit("positive", [made])
    if result.shape != target.shape:
        result = recorder.emit("broadcast_to", [result], shape=target.shape)
    return result if result.dtype == target.dtype else result.astype(target.dtype)


def _ints(shape: Any) -> tuple[int, ...]:
    return (
        (operator.index(shape),)
        if not isinstance(shape, tuple | list)
        else tuple(map(operator.index, shape))
    )


def index_values(index: Any) -> Any:
    """An index with arrays for stand-ins."""
    if isinstance(index, tuple):
        return tuple(map(index_values, index))
    return index.value if isinstance(index, StandIn) else index


REDUCED: dict[np.ufunc, Callable[..., Any]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_or: np.any,
    np.logical_and: np.all,
}
