"""What an author calls things: the outputs a function returns, and the arrays it takes out of its cache."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np

from rnnkit.kinds import Array


def outputs_of(forward: Callable[..., Any], count: int) -> list[str]:
    """What forward calls its `count` outputs, as in `return next_h, next_c, cache`; else out, or out0, out1."""
    for node in _nodes(forward):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            *outputs, _ = [
                item.id if isinstance(item, ast.Name) else "" for item in node.value.elts
            ]
            if len(outputs) == count == len(set(outputs)) and all(outputs):
                return outputs
    return ["out"] if count == 1 else [f"out{i}" for i in range(count)]


def in_cache(backward: Callable[..., Any], cache: Any) -> Any:
    """A tuple as a dict by the names that backward gives its items, as in `x, W = cache`; else the cache itself."""
    if isinstance(cache, tuple):
        for node in _nodes(backward):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
                (target, *_) = node.targets
                names = target.elts if isinstance(target, ast.Tuple) else []
                if len(names) == len(cache) and all(isinstance(name, ast.Name) for name in names):
                    return {ast.unparse(name): a for name, a in zip(names, cache, strict=True)}
    return cache


def arrays(value: Any, name: str = "") -> Iterator[tuple[str, Array]]:
    """Every float array in a cache, by a name that says where it is."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        yield name or "cache", value
    elif isinstance(value, tuple | list):
        for i, item in enumerate(value):
            yield from arrays(item, f"{name or 'cache'}[{i}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from arrays(item, f"{name}.{key}" if name else str(key))
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from arrays(getattr(value, field.name), f"{name}.{field.name}".lstrip("."))


@functools.lru_cache(maxsize=256)  # a function is asked about whenever it is called
def _nodes(function: Callable[..., Any]) -> tuple[ast.AST, ...]:
    """The syntax of a function; nothing where its source is not to be had."""
    try:
        return tuple(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))))
    except (OSError, SyntaxError, TypeError):
        return ()
