"""Pairs of functions in a module, found by their names; which of them are not written yet."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias

import attrs

Function: TypeAlias = Callable[..., Any]

_PAIRED: Final = re.compile(
    r"(?P<name>\w+)_(?P<way>forward|backward)|(?P<back>forward|backward)(_(?P<of>\w+))?"
)
_LOSS: Final = re.compile(r"(^|_)loss(_|$)")


@attrs.frozen
class Found:
    """A forward function and its backward one; or a loss, which returns its gradient with its value.

    Attributes:
        name: what both have in common, as `rnn_step`.
        forward: None if there is none.
        backward: None if there is none.
        is_loss: whether forward is a loss.
    """

    name: str
    forward: Function | None = None
    backward: Function | None = None
    is_loss: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What its functions are called, or would be."""
        if self.is_loss:
            return (self.name,)
        written = self.forward or self.backward
        ahead = written is not None and written.__name__.startswith(("forward", "backward"))
        ways = ("forward", "backward")
        return tuple(f"{w}_{self.name}".rstrip("_") if ahead else f"{self.name}_{w}" for w in ways)


def find(module: ModuleType) -> list[Found]:
    """The pairs and losses that a module defines, in the order of its lines."""
    pairs: dict[str, Found] = {}
    for function in _own(module):
        name, way = _parted(function.__name__)
        if way:
            pairs[name] = _with(pairs.get(name, Found(name)), way, function)
        elif _LOSS.search(function.__name__):
            pairs[function.__name__] = Found(function.__name__, function, is_loss=True)
    return list(pairs.values())


def called(module: ModuleType, name: str, *, is_loss: bool = False) -> Found:
    """The pair or the loss of that name, wherever the module has it from."""
    if is_loss:
        return Found(name, _function(module, name), is_loss=True)
    found = Found(name)
    for way in ("forward", "backward"):
        function = _function(module, f"{name}_{way}") or _function(module, f"{way}_{name}")
        found = _with(found, way, function)
    return found


def unwritten(function: Function) -> bool:
    """Whether a function only passes, raises NotImplementedError, or returns names that it has set to None."""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, TypeError, ValueError):
        return False
    return isinstance(node, ast.FunctionDef) and is_blank(node)


def is_blank(node: ast.FunctionDef) -> bool:
    """The same of a function that is only read."""
    empty = {"None"}
    for statement in node.body:
        match statement:
            case ast.Pass() | ast.Expr(ast.Constant()):
                continue
            case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
                return name == "NotImplementedError"
            case ast.Assign(targets=targets, value=value) if _names(value) <= empty:
                empty |= {name for target in targets for name in _names(target)}
            case ast.Return(value=value):
                return value is None or _names(value) <= empty
            case _:
                return False
    return True


def place(function: Function | None) -> str:
    """`file:line` of a function, from here if the file is below."""
    if function is None:
        return ""
    try:
        file = Path(inspect.getsourcefile(function) or "")
        here = Path.cwd()
        near = file.relative_to(here) if file.is_relative_to(here) else file
        return f"{near}:{inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):
        return getattr(function, "__name__", "")


def _with(found: Found, way: str, function: Function | None) -> Found:
    if way == "forward":
        return attrs.evolve(found, forward=function)
    return attrs.evolve(found, backward=function)


def _names(node: ast.AST) -> set[str]:
    """The names in a tuple, None among them; of anything else, something that is no name."""
    match node:
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return {name for item in items for name in _names(item)}
        case ast.Name(id=name):
            return {name}
        case ast.Constant(value=None):
            return {"None"}
    return {""}


def _own(module: ModuleType) -> Iterator[FunctionType]:
    """Functions that a module, or a file beside it, defines; all that it has, if it defines none."""
    every = [f for f in vars(module).values() if isinstance(f, FunctionType)]
    here = Path(getattr(module, "__file__", None) or "").parent
    own = [
        f
        for f in every
        if f.__module__ == module.__name__ or Path(f.__code__.co_filename).parent == here
    ]
    yield from own or every


def _parted(name: str) -> tuple[str, str]:
    found = _PAIRED.fullmatch(name)
    if not found:
        return name, ""
    return found["name"] or found["of"] or "", found["way"] or found["back"]


def _function(module: ModuleType, name: str) -> Function | None:
    found = getattr(module, name, None)
    return found if callable(found) else None
