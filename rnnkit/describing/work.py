"""Counting the multiply-adds of matrix products by watching a computation, whoever wrote it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from rnnkit.kinds import Array, Arrays, map_arrays

A = TypeVar("A", bound=Arrays)


class ProductCounter:
    """Counts the multiply-adds of every matrix product in which one of its arrays takes part.

    Arrays made from its arrays are its arrays too. It knows `@`, `np.matmul`, `np.dot`, `np.inner`,
    `np.tensordot`, `np.einsum` and their methods; elementwise arithmetic does not count.
    """

    def __init__(self) -> None:
        self.multiply_adds = 0

    def watch(self, a: Array) -> Array:
        """A view of the array that tells this counter."""
        view = a.view(_Watched)
        view.counter = self
        return view

    def watch_all(self, a: A) -> A:
        """The same for a container of arrays."""
        return map_arrays(self.watch, a)


class _Watched(np.ndarray[Any, Any]):
    counter: ProductCounter | None = None

    def __array_finalize__(self, made_from: object) -> None:
        self.counter = getattr(made_from, "counter", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return self._told(getattr(ufunc, method), ufunc, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self._told(func, func, args, kwargs)

    def dot(self, b: Any, out: Any = None) -> Any:
        return np.dot(self, b, out)

    def _told(self, call: Callable[..., Any], name: object, args: Any, kwargs: Any) -> Any:
        result = call(*_plain(args), **_plain(kwargs))
        assert self.counter is not None
        if name in _COUNTS and isinstance(result, np.ndarray | np.generic):
            self.counter.multiply_adds += _COUNTS[name](result.size, *_plain(args))
        return self._watched(result)

    def _watched(self, result: Any) -> Any:
        if isinstance(result, np.ndarray):
            view = result.view(_Watched)
            view.counter = self.counter
            return view
        if isinstance(result, tuple | list):
            return type(result)(map(self._watched, result))
        return result


def _plain(value: Any) -> Any:
    if isinstance(value, _Watched):
        return value.view(np.ndarray)
    if isinstance(value, tuple | list):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value


def _matmul(out: int, a: Any, b: Any, *_: object) -> int:
    return out * int(a.shape[-1])


def _contraction(out: int, a: Any, b: Any, *_: object) -> int:
    """a has A K numbers, b K B and the result A B, so the sum over K is known without its axes."""
    return out * math.isqrt(np.size(a) * np.size(b) // max(out, 1))


def _einsum(out: int, subscripts: str, *operands: Any) -> int:
    """Every number of the result is a sum over the letters that it does not have."""
    terms, arrow, result = subscripts.replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for term, operand in zip(terms.split(","), operands, strict=True):
        front, _, back = term.partition("...")
        sizes.update(zip(front, operand.shape, strict=False))
        sizes.update(zip(reversed(back), reversed(operand.shape), strict=False))
    kept = result if arrow else [letter for letter in sizes if terms.count(letter) == 1]
    summed = [size for letter, size in sizes.items() if letter not in kept]
    return out * math.prod(summed) if len(operands) > 1 else 0


_COUNTS: dict[object, Callable[..., int]] = {
    np.matmul: _matmul,
    np.dot: _contraction,
    np.inner: _contraction,
    np.tensordot: _contraction,
    np.einsum: _einsum,
}
